"""Messages for failures of the machine: the cause and the remedy."""

from __future__ import annotations

import re
import traceback

import torch
import torch.utils.data.dataloader

from sslreg.assembly.loader_workers import too_many_files_error
from sslreg.errors import SslregError, out_of_memory_error


def explain_failure(error: BaseException) -> SslregError | None:
    """Return a failure of the machine as an error with a remedy, None for what may be a bug."""
    match error:
        case SslregError():
            return error
        case torch.OutOfMemoryError():
            return SslregError(
                f"the device has no memory left: {str(error).partition('.')[0]}",
                hint="a new run with a smaller data.batch_size, smaller images or trainer.precision needs less",
                code="out-of-memory",
            )
        case MemoryError():
            return out_of_memory_error(error)
        case RuntimeError() if "DefaultCPUAllocator" in str(error):
            return out_of_memory_error()
        case RuntimeError() if found := re.match(r"DataLoader worker (\(pid(?:\(s\))? [\d, ]+\)) ", str(error)):
            return _worker_killed_error(f" {found[1]}")
        case RuntimeError() if str(error).startswith("Too many open files"):  # from a DataLoader
            return too_many_files_error()
        case ConnectionError() | EOFError() if _is_from_data_loader(error):
            return _worker_killed_error("")  # while it was handing over a batch
        case OSError():
            place = f"{error.filename}: " if error.filename else ""
            return SslregError(f"{place}{error.strerror or error}", code="operating-system")
    return None


def _worker_killed_error(worker: str) -> SslregError:
    return SslregError(
        f"a process that loads data{worker} was killed, most likely because memory ran out",
        hint="lower data.workers or make the batches smaller",
        code="worker-killed",
    )


def _is_from_data_loader(error: BaseException) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__") == torch.utils.data.dataloader.__name__ for frame, _ in frames)
