"""Waits of a process for something else: their names, read from the stack of its main thread, and their end."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from sslreg.escaping import escape_text

#: The signals that ask a process to stop, as far as the platform has them. A queue sends SIGTERM to reclaim the machine
#: and SIGUSR1 when the time is up; a user sends SIGINT.
STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGINT") if hasattr(signal, name))
#: The signal of a child that ended, where the platform has it.
CHILD_SIGNALS = (signal.SIGCHLD,) if hasattr(signal, "SIGCHLD") else ()
#: The exit statuses of a process that was stopped: by Ctrl-C, as shells have it, and by a queue (EX_TEMPFAIL).
INTERRUPTED_STATUS, STOPPED_STATUS = 130, 75
#: Seconds between two looks at the main thread, once a signal has arrived.
INTERVAL = 0.1
#: Seconds that a run waits for a batch after a signal that asks it to stop.
BATCH_GRACE = 10.0
#: Seconds that a run stays in one call after SIGTERM. Launchers kill after about as long.
CALL_GRACE = 30.0
#: Seconds that a process has to end after a second Ctrl-C.
INTERRUPT_GRACE = 5.0
#: Seconds that a process which is about to end waits for a terminal or a disk.
EXIT_GRACE = 1.0

#: Libraries that read and write files for their callers.
_FILE_LIBRARIES = {
    *("PIL", "codecs", "contextlib", "csv", "genericpath", "glob", "io", "json", "mmap", "numpy", "os", "pathlib"),
    *("pickle", "posixpath", "pyarrow", "safetensors", "shutil", "tarfile", "tempfile", "tokenize", "webdataset"),
    "zipfile",
}
#: Libraries that wait for a server.
_NETWORK_LIBRARIES = {"http", "httpcore", "httpx", "huggingface_hub", "requests", "socket", "ssl", "urllib", "urllib3"}


def describe_wait(frame: FrameType | None) -> str | None:
    """Return what the code that runs in a frame waits for, None if it is not known to wait."""
    return next(filter(None, map(_describe_call, walk_frames(frame))), None) or _describe_file(frame)


def loader_frame(frame: FrameType | None) -> FrameType | None:
    """Return the frame in which a DataLoader waits for a batch of its workers, None if none does."""
    return next((caller for caller in walk_frames(frame) if caller.f_code.co_name == "_try_get_data"), None)


def walk_frames(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and its callers, the innermost one first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def module_of(frame: FrameType) -> str:
    """Return the name of the module whose code a frame runs."""
    return str(frame.f_globals.get("__name__", "?"))


def is_stopped(process: int | None) -> bool:
    """Return whether a process is stopped, as by SIGSTOP; False if that is unknown."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
    except OSError:
        return False


def kill_workers(frame: FrameType) -> None:
    """Kill the workers of the DataLoader in a frame. They ignore signals, and those that are stuck would not end."""
    for worker in getattr(frame.f_locals.get("self"), "_workers", ()):
        worker.kill()


def kill_child_processes() -> None:
    """Kill all processes that ``multiprocessing`` has started for this one."""
    if "multiprocessing" in sys.modules:
        for child in sys.modules["multiprocessing"].active_children():
            child.kill()


def call_briefly(function: Callable[[], object]) -> None:
    """Call a function in a thread, and wait for it for `EXIT_GRACE` seconds at most.

    What a process does before it ends must not become its next wait, for a full pipe or a disk.
    """
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(EXIT_GRACE)


def end_blocked_process(received: signal.Signals, message: str) -> NoReturn:
    """End this process from another thread than its main one, which waits.

    Args:
        received: The signal that asked the process to stop.
        message: What is printed; nothing if it is empty.
    """
    kill_child_processes()
    if message:
        call_briefly(lambda: os.write(2, f"\n{escape_text(message)}\n".encode()))
    os._exit(INTERRUPTED_STATUS if received == signal.SIGINT else STOPPED_STATUS)


def _describe_place(frame: FrameType) -> str:
    return describe_wait(frame) or f"{module_of(frame)}.{frame.f_code.co_name}"


def _describe_workers(frame: FrameType) -> str:
    workers = [worker.pid for worker in getattr(frame.f_locals.get("self"), "_workers", ())]
    stopped = [str(process) for process in workers if is_stopped(process)]
    names = ", ".join(stopped or [str(process) for process in workers])
    return "a batch from the workers that load data" + (
        f" (process {names}{' is stopped' if stopped else ''})" if names else ""
    )


def _describe_call(frame: FrameType) -> str | None:
    """Return what a function waits for that, called by others, does nothing but wait."""
    match module_of(frame).split("."):
        case ["torch", "utils", "data", "dataloader"]:
            return _describe_workers(frame)
        case ["torch", "distributed", *_]:
            return "the other processes of the run"
        case ["subprocess"]:
            return _describe_program(frame)
        case ["sslreg", "atomic_files"]:
            return f"the disk, while it writes {_find_path(frame) or 'a file'}"
        case ["sslreg", "terminal"]:
            return "the reader of its output"
        case [package, *_] if package in _NETWORK_LIBRARIES:
            return "an answer from the network"
    return None


def _describe_program(frame: FrameType) -> str:
    arguments = getattr(frame.f_locals.get("self"), "args", None)
    if isinstance(arguments, list | tuple) and arguments:
        arguments = arguments[0]
    return f"the program {arguments}" if isinstance(arguments, str | Path) else "another program"


def _describe_file(frame: FrameType | None) -> str | None:
    """Return the file that the innermost function of sslreg works on, itself or by a library that reads files."""
    for caller in walk_frames(frame):
        package = module_of(caller).partition(".")[0]
        is_ours = package.startswith("sslreg")
        if not is_ours and package not in _FILE_LIBRARIES and module_of(caller) != "torch.serialization":
            return None
        if path := _find_path(caller):
            return f"the file {path}"
        if is_ours:
            return None
    return None


def _find_path(frame: FrameType) -> str | None:
    """Return the first variable of a function that is a path, or an object with one."""
    for name, value in frame.f_locals.items():
        # Not by getattr: a property may do anything.
        for path in (value, getattr(value, "__dict__", {}).get("path")):
            if isinstance(path, Path) or (name in ("path", "file", "shard") and isinstance(path, str)):
                # The main thread runs on: it may be in the middle of creating this path.
                with suppress(AttributeError):
                    return str(path)
    return None


class WaitGuard(threading.Thread):
    """A thread that ends waits of the main thread after signals that ask it to stop.

    Python calls signal handlers between two bytecode instructions. A call that waits in C, for another process or for
    a disk, delays them until it returns. This thread learns of signals at once.

    * A wait for a batch, `BATCH_GRACE` seconds after a signal: the handler runs again, and may raise.
    * One call that takes `CALL_GRACE` seconds after SIGTERM: the process is ended.
    * Anything, `INTERRUPT_GRACE` seconds after a second Ctrl-C: the process is ended.

    Args:
        end_process: Ends this process, and the processes that it has started.
        resumable: Whether the process may go on for long after SIGTERM, to save what it has done. Otherwise, it is
            ended `CALL_GRACE` seconds after SIGTERM whatever it does.

    Attributes:
        has_given_up: Whether the main thread has waited too long for a batch.
    """

    def __init__(self, end_process: Callable[[signal.Signals, str], None], *, resumable: bool = True) -> None:
        super().__init__(daemon=True, name="sslreg-wait-guard")
        self.end_process = end_process
        self.resumable = resumable
        self.has_given_up = False
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._main = threading.main_thread().ident or 0
        self._previous_descriptor = -1
        self._arrivals: dict[signal.Signals, list[float]] = {}
        self._repeated: list[signal.Signals] = []
        self._wait: tuple[Any, float] = (None, 0.0)
        self._call: tuple[Any, float] = (None, 0.0)

    def start(self) -> None:
        """Start to listen. Only the main thread may call this."""
        self._previous_descriptor = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        _ACTIVE.append(self)
        super().start()

    def stop(self) -> None:
        """Stop listening. Only the main thread may call this."""
        signal.set_wakeup_fd(self._previous_descriptor)
        _ACTIVE.remove(self)
        self._sender.close()
        self.join()
        self._receiver.close()

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._receiver, selectors.EVENT_READ)
            while True:
                if selector.select(INTERVAL if self._arrivals else None):
                    received = self._receiver.recv(4096)
                    if not received:
                        return
                    self._note(received)
                self._look()

    def _note(self, received: bytes) -> None:
        for number in received:
            if number in self._repeated:  # by this guard: it is no second Ctrl-C
                self._repeated.remove(signal.Signals(number))
            elif number in STOP_SIGNALS:
                self._arrivals.setdefault(signal.Signals(number), []).append(time.monotonic())

    def _look(self) -> None:
        """Compare where the main thread is with where it was, and end what takes too long."""
        now, frame = time.monotonic(), sys._current_frames().get(self._main)
        if frame is None or not self._arrivals:
            return
        waiting = loader_frame(frame)
        call = (id(frame), frame.f_lasti)
        first = min(times[0] for times in self._arrivals.values())
        if self._wait[0] != (place := None if waiting is None else id(waiting.f_back)):
            self._wait = place, now
        if self._call[0] != call:
            self._call = call, now
        since = self._call[1] if self.resumable else first
        interrupts = self._arrivals.get(signal.SIGINT, [])
        if len(interrupts) > 1 and now - interrupts[1] >= INTERRUPT_GRACE:
            self.end_process(signal.SIGINT, _describe_place(frame))
        elif signal.SIGTERM in self._arrivals and now - max(first, since) >= CALL_GRACE:
            self.end_process(signal.SIGTERM, _describe_place(frame))
        elif place is not None and now - max(first, self._wait[1]) >= BATCH_GRACE and hasattr(signal, "pthread_kill"):
            self._wait, self.has_given_up = (place, now), True
            first_signal = min(self._arrivals, key=lambda number: self._arrivals[number][0])
            self._repeated.append(first_signal)
            signal.pthread_kill(self._main, first_signal)


#: The guards that listen now.
_ACTIVE: list[WaitGuard] = []


def _stop_listening() -> None:
    """Keep signals of a forked process from the guard of its parent."""
    if _ACTIVE:
        signal.set_wakeup_fd(-1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stop_listening)
