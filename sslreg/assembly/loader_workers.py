"""Worker processes of data loaders: how they are started and which signals they ignore."""

from __future__ import annotations

import multiprocessing
import signal

import torch.distributed as dist

#: The signals that ask a run to stop, as far as the platform has them. A queue sends SIGTERM to reclaim the machine and
#: SIGUSR1 when the time is up; a user sends SIGINT.
STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGINT") if hasattr(signal, name))


def worker_start_method(workers: int, processes: int | None = None) -> str | None:
    """Return the `multiprocessing_context` of a DataLoader; None is Python's default.

    If several processes train together, threads of torch exchange data between them. A fork may copy a lock that such a
    thread holds, and the worker then hangs before it starts. A fork server has no such threads.

    Args:
        workers: the number of workers of the DataLoader.
        processes: the number of processes that train together; by default those that are connected now.
    """
    if processes is None:
        processes = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
    # Windows has no fork server. It does not fork either.
    if not workers or processes == 1 or "forkserver" not in multiprocessing.get_all_start_methods():
        return None
    multiprocessing.get_context("forkserver").set_forkserver_preload(["sslreg.views"])
    return "forkserver"


def ignore_stop_signals(worker: int) -> None:
    """Ignore the signals that ask a run to stop; the ``worker_init_fn`` of a DataLoader.

    Ctrl-C in a terminal and the signals of a queue reach every process of a run. The main process needs its workers to
    finish its step, and ends them afterwards. If it dies, torch ends the workers.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
