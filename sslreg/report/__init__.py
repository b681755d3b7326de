"""Shows what a spec does to images, and what a run learned from it."""

from sslreg.report.previews import Preview, preview

__all__ = ["Preview", "preview"]
