"""Shows what a spec does to images, and what a run learned from it."""

from sslreg.report.previews import Preview, preview
from sslreg.report.reports import write_report

__all__ = ["Preview", "preview", "write_report"]
