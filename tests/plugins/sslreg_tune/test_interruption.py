"""Signals that ask a study to stop."""

from __future__ import annotations

import os
import signal

import pytest

import sslreg
from sslreg_tune.interruption import StopListener, explain_interruption, interrupted_error


def test_a_signal_is_noted_and_the_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopListener() as stop:
        stop.raise_if_received()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(sslreg.InterruptedRunError, match="interrupted by SIGTERM") as caught:
            stop.raise_if_received()
    assert caught.value.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_second_interrupt_stops_at_once() -> None:
    with StopListener():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("error", "status"),
    [(interrupted_error(signal.SIGUSR1), 75), (sslreg.StoppedRunError("stopped"), 130), (KeyboardInterrupt(), 130)],
)
def test_an_interrupted_training_interrupts_the_study(error: BaseException, status: int) -> None:
    with pytest.raises(sslreg.SslregError, match="the study was") as caught, explain_interruption():
        raise error
    assert caught.value.exit_status == status
    assert caught.value.diagnostics[0].hint == "continue with the same command"
