"""Worker processes of data loaders: what they need, how they start, which signals they ignore, how they fail."""

from __future__ import annotations

import atexit
import errno
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import queues, util
from pathlib import Path
from typing import Any, NoReturn

import torch.distributed as dist

from sslreg.blocked_waits import STOP_SIGNALS
from sslreg.errors import Diagnostic, SslregError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

#: The longest path of a folder for sockets: the system allows about 100 bytes for the path of a socket, and Python
#: appends the names of a folder and of the socket.
MAX_SOCKET_FOLDER = 60
#: Folders for sockets, if the path of the folder for temporary files is too long.
SOCKET_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
#: The files that a process opens for each worker (pipes, and the tensors of the batches in flight), and those that it
#: opens besides (mostly the shared memory of a worker).
FILES_PER_WORKER, OTHER_FILES = 10, 100

#: Seconds that workers have to end when their process ends.
EXIT_GRACE = 5.0


def loader_worker_options(workers: int, processes: int | None = None) -> dict[str, Any]:
    """Return the arguments of a DataLoader that concern its workers, and prepare this process for workers.

    Args:
        workers: The number of workers of the DataLoader.
        processes: The number of processes that train together; by default those that are connected now.

    Raises:
        SslregError: Workers cannot work here.
    """
    prepare_for_workers(workers)
    return {
        "num_workers": workers,
        "multiprocessing_context": worker_start_method(workers, processes),
        "worker_init_fn": initialize_worker,
    }


def prepare_for_workers(workers: int) -> None:
    """Make sure that workers can open sockets and files. Without workers, do nothing.

    If the path of the folder for temporary files (``TMPDIR``) is too long for a socket, sockets are created elsewhere.
    If the limit of open files is too low, it is raised as far as the system allows.

    Raises:
        SslregError: No folder can hold sockets, or the limit of open files cannot be raised far enough.
    """
    if workers:
        _choose_socket_folder()
        _raise_limit_of_open_files(workers)


def worker_start_method(workers: int, processes: int | None = None) -> str | None:
    """Return the `multiprocessing_context` of a DataLoader; None is Python's default.

    If several processes train together, threads of torch exchange data between them. A fork may copy a lock that such a
    thread holds, and the worker then hangs before it starts. A fork server has no such threads.

    Args:
        workers: The number of workers of the DataLoader.
        processes: The number of processes that train together; by default those that are connected now.
    """
    if processes is None:
        processes = dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
    # Windows has no fork server. It does not fork either.
    if not workers or processes == 1 or "forkserver" not in multiprocessing.get_all_start_methods():
        return None
    multiprocessing.get_context("forkserver").set_forkserver_preload(["sslreg.views"])
    return "forkserver"


def initialize_worker(worker: int) -> None:
    """Ignore signals that ask a run to stop, and report failures; the ``worker_init_fn`` of a DataLoader.

    Ctrl-C in a terminal and the signals of a queue reach every process of a run. The main process needs its workers to
    finish its step, and ends them afterwards. If it dies, torch ends the workers.

    Without the reports, a batch that cannot be sent would be dropped, and the main process would wait for it forever.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    queues.Queue._on_queue_feeder_error = _send_failure  # type: ignore[attr-defined]
    sys.excepthook = _end_without_files


@dataclass(frozen=True)
class WorkerError:
    """The error that a worker returns in place of a batch.

    The message of an exception would contain the worker's traceback.
    """

    diagnostics: tuple[Diagnostic, ...]
    error: type[SslregError] = SslregError

    def reraise(self) -> NoReturn:
        """Raise the error in the process that gets it."""
        raise self.error(*self.diagnostics)


class ErrorReturningCollate:
    """A collate function that returns an SslregError as a `WorkerError` instead of raising it."""

    def __init__(self, collate: Callable[[Any], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: list[Any]) -> Any:
        try:
            return self.collate(samples)
        except SslregError as error:
            return WorkerError(error.diagnostics, type(error))


def too_many_files_error() -> SslregError:
    """Return the error for a process that has reached the limit of open files."""
    limit = "" if resource is None else f" ({resource.getrlimit(resource.RLIMIT_NOFILE)[0]})"
    return SslregError(
        f"the workers that load data need more open files than the limit{limit} allows",
        hint="raise it with `ulimit -n 4096`, or lower data.workers (0 loads data without workers)",
        code="too-many-open-files",
    )


def _choose_socket_folder() -> None:
    """Choose where the sockets of worker processes are created, once per process."""
    if not hasattr(os, "fork") or len(os.fsencode(tempfile.gettempdir())) <= MAX_SOCKET_FOLDER:
        return
    previous = tempfile.tempdir
    try:
        for folder in SOCKET_FOLDERS:
            tempfile.tempdir = folder
            with suppress(OSError):
                util.get_temp_dir()  # creates a private folder there, and remembers it
                return
    finally:
        tempfile.tempdir = previous
    raise SslregError(
        f"the path of the folder for temporary files is too long for the sockets of workers: {previous}",
        hint="set TMPDIR to a shorter path, or data.workers to 0",
        code="long-tmpdir",
    )


def _raise_limit_of_open_files(workers: int) -> None:
    if resource is None:
        return
    needed = _count_open_files() + FILES_PER_WORKER * workers + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise too_many_files_error()
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _count_open_files() -> int:
    """Return the number of files that this process has open; 50 if that is unknown."""
    try:
        return len(list(Path("/dev/fd").iterdir()))
    except OSError:
        return 50


def _send_failure(queue: Any, error: Exception, item: Any) -> None:
    """Send the reason why a batch cannot be sent, in its place.

    Args:
        queue: The queue of the worker's batches.
        error: The reason.
        item: The batch's number and the batch, or bytes if these cannot be written.
    """
    if not isinstance(item, tuple):
        os._exit(1)  # the main process notices
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        failure = too_many_files_error()
    else:
        failure = SslregError(
            f"a worker that loads data cannot send a batch: {error}",
            hint="data.workers: 0 loads data without workers",
            code="worker-cannot-send",
        )
    queue.put((item[0], WorkerError(failure.diagnostics)))


def _end_without_files(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
    """End this worker if it cannot open files; an ``excepthook``.

    The thread that passes on file descriptors would otherwise print its errors and leave the main process waiting.
    """
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        sys.stderr.write(f"{too_many_files_error()}\n")
        os._exit(1)
    sys.__excepthook__(kind, error, traceback)


def end_workers_at_exit() -> None:
    """Kill processes that outlive this one's request to end. Python would wait for them forever.

    It concerns only daemons, as workers are, which Python asks to end as well.
    """
    daemons = [child for child in multiprocessing.active_children() if child.daemon]
    for child in daemons:
        child.terminate()
    deadline = time.monotonic() + EXIT_GRACE
    for child in daemons:
        child.join(max(0.0, deadline - time.monotonic()))
        child.kill()


atexit.register(end_workers_at_exit)  # after the handler of multiprocessing, so that it is called before
