"""Signals that ask a study to stop: the running trials save their states, and the same command continues."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

import sslreg

#: The signals of a user, and of a queue that reclaims the machine or whose time is up.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))

CONTINUE = "continue with the same command"


class StopListener:
    """A listener for the signals that ask a study to stop, active inside a ``with`` block.

    A training inside the block listens instead. A second Ctrl-C raises KeyboardInterrupt. Only the main thread of a
    process can listen; in other threads this class does nothing.

    Attributes:
        received: The first signal that arrived, or None.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._handlers[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = self.received or signal.Signals(number)

    def raise_if_received(self) -> None:
        """Raise InterruptedRunError if a signal has arrived."""
        if self.received is not None:
            raise interrupted_error(self.received)


def interrupted_error(received: int | None) -> sslreg.InterruptedRunError:
    """Return the error of a study that was asked to stop, and whose trials have saved their states."""
    name = "" if received is None else f" by {signal.Signals(received).name}"
    error = sslreg.InterruptedRunError(
        f"the study was interrupted{name}; its trials keep what they have trained", hint=CONTINUE, code="interrupted"
    )
    error.signal = received
    return error


def stopped_error() -> sslreg.StoppedRunError:
    """Return the error of a study that was stopped at once."""
    return sslreg.StoppedRunError(
        "the study was stopped at once; the steps of a trial since its last checkpoint will be taken again",
        hint=CONTINUE,
        code="interrupted",
    )


@contextmanager
def explain_interruption() -> Iterator[None]:
    """Explain the interruption of a training in the block as one of the study.

    Raises:
        InterruptedRunError, StoppedRunError: The training was interrupted.
    """
    try:
        yield
    except sslreg.InterruptedRunError as error:
        raise interrupted_error(error.signal) from error
    except (sslreg.StoppedRunError, KeyboardInterrupt) as error:
        raise stopped_error() from error
