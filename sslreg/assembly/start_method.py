"""How a loader's worker processes are started."""

from __future__ import annotations

import multiprocessing

import torch.distributed as dist


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
