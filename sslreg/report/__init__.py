"""Shows what a spec does to images, and what a run learned from it."""

from sslreg.report.report_page import write_report
from sslreg.report.view_preview import Preview, preview

__all__ = ["Preview", "preview", "write_report"]
