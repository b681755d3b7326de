"""Runs that a queue cuts off and starts again: SLURM's jobs, and the exit status for all others."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from sslreg.errors import InterruptedRunError


def is_restart() -> bool:
    """Whether SLURM has run this job before."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") not in ("", "0")


@contextmanager
def requeueing(*, finds_its_run: bool) -> Iterator[None]:
    """Put the job back into SLURM's queue if SIGUSR1 stopped the run within, which is how SLURM says that time is up.

    finds_its_run: whether the same command would go on with the same run. Of several processes the main one does this
    and says so. InterruptedRunError: the run was interrupted; it says whether it comes back.
    """
    try:
        yield
    except InterruptedRunError as error:
        from sslreg.training.lightning_trainer import is_main_process

        if not is_main_process():
            # With status 0: Lightning ends all processes at once when one that it has started fails.
            raise typer.Exit from error
        job = _job()
        if job is None or error.signal != signal.SIGUSR1:
            raise
        if not finds_its_run:
            raise error.with_hint(f"job {job} was not requeued: without --out it would not find its run") from error
        raise error.with_hint(_requeue(job)) from error


def _job() -> str | None:
    """SLURM's number of the job that this process belongs to; None elsewhere."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ.get("SLURM_JOB_ID")


def _requeue(job: str) -> str:
    try:
        result = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=False)
    except OSError as error:
        return f"job {job} could not be requeued: scontrol: {error.strerror}"
    if result.returncode:
        return f"job {job} could not be requeued: {result.stderr.strip() or f'scontrol ended with {result.returncode}'}"
    return f"job {job} is back in the queue and goes on by itself"
