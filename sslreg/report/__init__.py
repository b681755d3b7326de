"""HTML reports of runs, and previews of a spec's views."""

from sslreg.report.report_page import write_report
from sslreg.report.view_preview import Preview, Previewer, preview

__all__ = ["Preview", "Previewer", "preview", "write_report"]
