"""Plugin hooks that are called when a run has ended."""

from __future__ import annotations

import logging
from typing import Any

from sslreg.errors import describe_error
from sslreg.registry import call_hook, installed
from sslreg.runs.run import Run

log = logging.getLogger(__name__)


def call_run_finished(run: Run) -> None:
    """Call every plugin's `sslreg_run_finished`. An exception of one plugin is logged, and the others are called."""
    _call_plugins("sslreg_run_finished", "react to the end of the run", run=run)


def collect_summary_lines(run: Run) -> list[str]:
    """Return the lines that plugins add to a run's summary by `sslreg_run_summary`. Their exceptions are logged."""
    lines: list[str] = []
    _call_plugins("sslreg_run_summary", "add to the run's summary", run=run, lines=lines)
    return lines


def _call_plugins(hook: str, purpose: str, **arguments: Any) -> None:
    catalog = installed()
    for plugin in catalog.plugins:
        if error := call_hook(catalog, plugin, hook, **arguments):
            log.warning("%s could not %s: %s", plugin, purpose, describe_error(error))
