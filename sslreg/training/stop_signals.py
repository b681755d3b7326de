"""Signals that ask a run to stop: they are heard at once, and obeyed where nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

#: What asks a run to stop: a queue that wants the machine, a queue whose time is up, a person.
ASKING = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class StopRequested(BaseException):
    """Ends what a run is doing, once it has been asked to stop and its state is safe."""


class StopSignals:
    """Listens to the signals that ask a run to stop, from ``with`` to the end of its block.

    received: the first signal that came. The training looks at it after every step; what may be broken off anywhere,
    as an evaluation may, runs within `interruptible` and is left with `StopRequested`. A second Ctrl-C raises
    KeyboardInterrupt at once.

    Only a process's main thread can listen to signals; elsewhere this does nothing. Processes that are forked (the
    loader's workers) hear nothing either: their parent decides.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._child_before: Any = None
        self._interruptible = False
        self._process = os.getpid()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in (*ASKING, signal.SIGCHLD)}
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def listen(self) -> None:
        """Take the signals, also from Lightning, which puts handlers of its own in place when it begins to fit.

        Its handlers save or communicate in the middle of whatever is being done. torch's handler of SIGCHLD raises
        there when a worker dies; without it that is noticed where the worker's batch is waited for, between two steps.
        """
        if self._before:
            for number in ASKING:
                signal.signal(number, self._hear)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """What is done within may be left anywhere, and is, with `StopRequested`, when a signal comes or has come."""
        if self.received is not None:
            raise StopRequested
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            return
        if self.received is None:
            self.received = signal.Signals(number)
            if number == signal.SIGINT:
                # Not through a buffered stream, which may be in the middle of a write of its own.
                os.write(2, b"\nfinishing this step; Ctrl-C again stops at once\n")
            if self._interruptible:
                raise StopRequested
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
