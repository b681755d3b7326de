"""Tells plugins that a run has ended."""

from __future__ import annotations

import logging
from typing import Any

from sslreg.registry import call_hook, installed
from sslreg.runs.run import Run

log = logging.getLogger(__name__)


def announce(run: Run) -> None:
    """Call every plugin's `sslreg_run_finished`. What one of them raises is logged, and hinders no other."""
    _call("sslreg_run_finished", "react to the end of the run", run=run)


def summary_lines(run: Run) -> list[str]:
    """What plugins have to say of a finished run, by `sslreg_run_summary`; what one of them raises is logged."""
    lines: list[str] = []
    _call("sslreg_run_summary", "add to the run's summary", run=run, lines=lines)
    return lines


def _call(hook: str, purpose: str, **arguments: Any) -> None:
    catalog = installed()
    for plugin in catalog.plugins:
        if error := call_hook(catalog, plugin, hook, **arguments):
            log.warning("%s could not %s: %s: %s", plugin, purpose, type(error).__name__, error)
