"""Worker processes of data loaders: how they start and which signals they ignore."""

from __future__ import annotations

import multiprocessing
import signal

import torch.distributed as dist

#: The signals that ask a run to stop, as far as the platform has them. A queue sends SIGTERM to get the machine and
#: SIGUSR1 when the time is up; a person sends SIGINT.
STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGINT") if hasattr(signal, name))


def start_method(workers: int, processes: int | None = None) -> str | None:
    """What a DataLoader with so many workers takes as `multiprocessing_context`; None is Python's own choice.

    processes: those that train together; if not given, those that are connected now. Between several, threads of torch
    exchange data. A fork at the wrong moment copies a lock that such a thread holds, and the worker hangs before it
    begins. A fork server has no such threads.
    """
    if processes is None:
        processes = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
    if not workers or processes == 1:
        return None
    multiprocessing.get_context("forkserver").set_forkserver_preload(["sslreg.views"])
    return "forkserver"


def leave_signals_to_parent(worker: int) -> None:
    """Ignore the signals that ask a run to stop; to be given to a DataLoader as its ``worker_init_fn``.

    A terminal's Ctrl-C and a queue's signals reach every process of a run. The parent finishes its step first, for
    which it needs its workers, and then ends them; a parent that dies takes them with it, by torch's own watch.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
