"""Signals that end a command, also one that waits."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, Self

from sslreg.blocked_waits import (
    CHILD_SIGNALS,
    INTERRUPTED_STATUS,
    STOP_SIGNALS,
    STOPPED_STATUS,
    WaitGuard,
    describe_wait,
    end_blocked_process,
    kill_workers,
    loader_frame,
)
from sslreg.errors import Interruption


class CommandStopped(Interruption):
    """A signal ends the command.

    Attributes:
        exit_status: The exit status of the command.
    """

    def __init__(self, received: signal.Signals, awaited: str | None) -> None:
        super().__init__(_format_message(received, awaited))
        self.exit_status = INTERRUPTED_STATUS if received == signal.SIGINT else STOPPED_STATUS


class CommandSignals:
    """A listener for the signals that end a command, active inside a ``with`` block.

    The first signal raises `CommandStopped` inside `interruptible`. A `WaitGuard` ends commands that this does not end.
    A training inside the block listens instead, by `StopSignals`.

    Only the main thread of a process can listen to signals; in other threads this class does nothing. Signals that the
    process ignores are left ignored.
    """

    def __init__(self) -> None:
        self._interruptible = False
        self._previous_handlers: dict[signal.Signals, Any] = {}
        self._guard: WaitGuard | None = None
        self._process = os.getpid()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
            self._previous_handlers = {
                number: handler for number, handler in handlers.items() if handler != signal.SIG_IGN
            }
            for number in self._previous_handlers:
                signal.signal(number, self._handle)
            self._guard = WaitGuard(_end_process, resumable=False)
            self._guard.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._guard is not None:
            self._guard.stop()
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise CommandStopped in the block when the first signal arrives."""
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._interruptible or os.getpid() != self._process:
            return
        self._interruptible = False  # cleaning up is not interrupted
        awaited = describe_wait(frame)
        if loader := loader_frame(frame):
            for child in CHILD_SIGNALS:
                signal.signal(child, signal.SIG_DFL)  # the handler of torch raises for a worker that is killed
            kill_workers(loader)
        raise CommandStopped(signal.Signals(number), awaited)


def _end_process(received: signal.Signals, awaited: str) -> NoReturn:
    end_blocked_process(received, _format_message(received, awaited))


def _format_message(received: signal.Signals, awaited: str | None) -> str:
    return f"stopped by {received.name}" + ("" if awaited is None else f" while waiting for {awaited}")
