"""What a loader's worker processes are told when they start."""

from __future__ import annotations

import signal


def leave_signals_to_parent(worker: int) -> None:
    """Ignore the signals that ask a run to stop; to be given to a DataLoader as its ``worker_init_fn``.

    A terminal's Ctrl-C and a queue's signals reach every process of a run. The parent finishes its step first, for
    which it needs its workers, and then ends them; a parent that dies takes them with it, by torch's own watch.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
