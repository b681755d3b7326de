"""HTML reports of runs, and previews of a spec's views."""

from sslreg.report.report_page import write_report
from sslreg.report.view_preview import Preview, preview

__all__ = ["Preview", "preview", "write_report"]
