"""Names the wait of a process, read from the stack of its main thread, and ends waits that would not end."""

from __future__ import annotations

import multiprocessing
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from sslreg.assembly.loader_workers import STOP_SIGNALS

#: Seconds between two looks at the main thread, once a signal has arrived.
INTERVAL = 0.1
#: Seconds that a run waits for a batch after a signal that asks it to stop.
BATCH_GRACE = 10.0
#: Seconds that a run stays in one call after SIGTERM. Launchers kill after about as long.
CALL_GRACE = 30.0
#: Seconds that a run has to end after a second Ctrl-C.
INTERRUPT_GRACE = 5.0


def describe_wait(frame: FrameType | None) -> str | None:
    """Return what the code that runs in a frame waits for, None if it is not known to wait."""
    for caller in walk_frames(frame):
        match module_of(caller).split("."):
            case ["torch", "utils", "data", "dataloader"]:
                return _describe_workers(caller)
            case ["torch", "distributed", *_]:
                return "the other processes of the run"
            case ["sslreg", "atomic_files"]:
                return "the disk, while it writes a file"
    return None


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
    for child in multiprocessing.active_children():
        child.kill()


def _describe_workers(frame: FrameType) -> str:
    workers = [worker.pid for worker in getattr(frame.f_locals.get("self"), "_workers", ())]
    stopped = [str(process) for process in workers if is_stopped(process)]
    names = ", ".join(stopped or [str(process) for process in workers])
    return "a batch from the workers that load data" + (
        f" (process {names}{' is stopped' if stopped else ''})" if names else ""
    )


class WaitGuard(threading.Thread):
    """A thread that ends waits of the main thread after signals that ask it to stop.

    Python calls signal handlers between two bytecode instructions. A call that waits in C, for another process or for
    a disk, delays them until it returns. This thread learns of signals at once.

    * A wait for a batch, `BATCH_GRACE` seconds after a signal: the handler runs again, and may raise.
    * One call that takes `CALL_GRACE` seconds after SIGTERM: the process is ended.
    * Anything, `INTERRUPT_GRACE` seconds after a second Ctrl-C: the process is ended.

    Args:
        end_process: Ends this process, and the processes that it has started.

    Attributes:
        has_given_up: Whether the main thread has waited too long for a batch.
    """

    def __init__(self, end_process: Callable[[signal.Signals, str], None]) -> None:
        super().__init__(daemon=True, name="sslreg-wait-guard")
        self.end_process = end_process
        self.has_given_up = False
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._main = threading.main_thread().ident or 0
        self._previous_descriptor = -1
        self._arrivals: dict[signal.Signals, list[float]] = {}
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
            if number in STOP_SIGNALS:
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
        interrupts = self._arrivals.get(signal.SIGINT, [])
        awaited = describe_wait(frame) or f"{module_of(frame)}.{frame.f_code.co_name}"
        if len(interrupts) > 1 and now - interrupts[1] >= INTERRUPT_GRACE:
            self.end_process(signal.SIGINT, awaited)
        elif signal.SIGTERM in self._arrivals and now - max(first, self._call[1]) >= CALL_GRACE:
            self.end_process(signal.SIGTERM, awaited)
        elif place is not None and now - max(first, self._wait[1]) >= BATCH_GRACE and hasattr(signal, "pthread_kill"):
            self._wait, self.has_given_up = (place, now), True
            signal.pthread_kill(self._main, min(self._arrivals, key=lambda number: self._arrivals[number][0]))


#: The guards that listen now.
_ACTIVE: list[WaitGuard] = []


def _stop_listening() -> None:
    """Keep signals of a forked process from the guard of its parent."""
    if _ACTIVE:
        signal.set_wakeup_fd(-1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stop_listening)
