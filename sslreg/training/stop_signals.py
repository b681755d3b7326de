"""Signals that ask a run to stop. A handler notes them at once; the run obeys where it loses nothing."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, Self

from sslreg.blocked_waits import (
    CHILD_SIGNALS,
    STOP_SIGNALS,
    WaitGuard,
    describe_wait,
    end_blocked_process,
    kill_workers,
    loader_frame,
)
from sslreg.errors import Interruption


class StopRequested(Interruption):
    """Ends what a run is doing after a request to stop, once its state is safe."""


def end_unstarted_process(received: signal.Signals, awaited: str) -> NoReturn:
    """End a process that waits forever before its run has a folder."""
    end_blocked_process(received, f"stopped by {received.name} before the first step, while waiting for {awaited}")


class StopSignals:
    """A listener for the signals that ask a run to stop, active inside a ``with`` block.

    The training looks at `received` after every step. Work that may be interrupted anywhere, such as an evaluation,
    runs inside `interruptible` and ends with `StopRequested`. A second Ctrl-C raises KeyboardInterrupt at once.

    No wait for a process or a file outlasts the signals: a `WaitGuard` ends it.

    Only the main thread of a process can listen to signals; in other threads this class does nothing. Forked processes
    (the workers of the data loader) ignore the signals, since their parent decides.

    Attributes:
        received: The first signal that arrived, or None.
        awaited: What the process was waiting for when it was stopped, None if it was not waiting.
        end_process: Ends a process that waits forever. Called with the signal and what the process waits for.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.awaited: str | None = None
        self.end_process: Callable[[signal.Signals, str], None] = end_unstarted_process
        self._guard: WaitGuard | None = None
        self._previous_handlers: dict[signal.Signals, Any] = {}
        self._interruptible = False
        self._process = os.getpid()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._previous_handlers = {number: signal.getsignal(number) for number in (*STOP_SIGNALS, *CHILD_SIGNALS)}
            self._guard = WaitGuard(lambda received, awaited: self.end_process(received, awaited))
            self._guard.start()
        self.install_handlers()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)
        self._previous_handlers = {}
        if self._guard is not None:
            self._guard.stop()
            self._guard = None

    def install_handlers(self) -> None:
        """Install the handlers, also in place of those that Lightning installs when it begins to fit.

        Lightning's handlers save or communicate in the middle of whatever is running. torch's handler of SIGCHLD raises
        there when a worker dies; without it, the loop notices a dead worker where it waits for a batch, between two
        steps.
        """
        if self._previous_handlers:
            for number in STOP_SIGNALS:
                signal.signal(number, self._handle)
            for number in CHILD_SIGNALS:
                signal.signal(number, signal.SIG_DFL)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise StopRequested anywhere in the block as soon as a signal arrives, and at once if one has arrived."""
        if self.received is not None:
            raise StopRequested
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return
        if self.received is None:
            self.received = signal.Signals(number)
            if self._interruptible:
                raise StopRequested
            if number == signal.SIGINT:
                # Unbuffered, because the signal may interrupt a write to the buffered stream.
                os.write(2, b"\nfinishing this step; Ctrl-C again stops at once\n")
        elif (loader := loader_frame(frame)) and self._guard is not None and self._guard.has_given_up:
            # Between two steps, so the state is whole.
            self._give_up_waiting(loader)
            raise StopRequested
        elif number == signal.SIGINT:
            if loader:
                self._give_up_waiting(loader)
            self.awaited = self.awaited or describe_wait(frame)
            raise KeyboardInterrupt

    def _give_up_waiting(self, loader: FrameType) -> None:
        self.awaited = describe_wait(loader)
        kill_workers(loader)
