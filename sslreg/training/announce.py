"""Tells plugins that a run has ended."""

from __future__ import annotations

import logging

from sslreg.registry import call_hook, installed
from sslreg.training.run import Run

log = logging.getLogger(__name__)


def announce(run: Run) -> None:
    """Call every plugin's `sslreg_run_finished`. What one of them raises is logged, and hinders no other."""
    catalogue = installed()
    for plugin in catalogue.plugins:
        if error := call_hook(catalogue, plugin, "sslreg_run_finished", run=run):
            log.warning("%s could not react to the end of the run: %s: %s", plugin, type(error).__name__, error)
