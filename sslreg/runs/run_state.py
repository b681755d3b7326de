"""The state of a run: what its summary says, unless the process that wrote it is dead."""

from __future__ import annotations

import time

from sslreg.runs.folder import RunFolder
from sslreg.runs.run_lock import is_locked

#: Seconds without a write after which a run counts as dead, where files cannot be locked, as on some networks.
DEAD_AFTER = 15 * 60.0


def determine_state(folder: RunFolder, status: str) -> str:
    """Return the status in a run's summary, and ``dead`` for one that says ``running`` but has no process left."""
    if status != "running":
        return status
    is_running = is_locked(folder)
    if is_running is None:
        latest = max((path.stat().st_mtime for path in (folder.metrics, folder.summary) if path.exists()), default=0.0)
        is_running = time.time() - latest < DEAD_AFTER
    return "running" if is_running else "dead"
