"""Requeueing of SLURM jobs whose time is up. Other queues use the exit status."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from sslreg.errors import InterruptedRunError

#: Seconds that SLURM has to answer. A job is killed soon after its time is up.
PATIENCE = 20.0


def is_restart() -> bool:
    """Return whether SLURM has run this job before."""
    return os.environ.get("SLURM_RESTART_COUNT", "0") not in ("", "0")


@contextmanager
def requeue_on_timeout(*, can_find_run: bool) -> Iterator[None]:
    """Requeue the SLURM job if SIGUSR1 stops the run in the block. SLURM sends it when the time is up.

    Of several processes, the main one requeues the job and reports it.

    Args:
        can_find_run: Whether the same command would resume the same run.

    Raises:
        InterruptedRunError: The run was interrupted; the hint says whether the job is requeued.
    """
    try:
        yield
    except InterruptedRunError as error:
        from sslreg.training.distributed.ranks import is_main_process

        if not is_main_process():
            # With status 0, because Lightning ends all processes at once when one that it has started fails.
            raise typer.Exit from error
        job = _slurm_job()
        if job is None or error.signal is None or error.signal != getattr(signal, "SIGUSR1", None):
            raise
        if not can_find_run:
            raise error.with_hint(f"job {job} was not requeued: without --out it could not find its run") from error
        raise error.with_hint(_requeue(job)) from error


def _slurm_job() -> str | None:
    """Return SLURM's ID of the job of this process, None outside SLURM."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array else os.environ.get("SLURM_JOB_ID")


def _requeue(job: str) -> str:
    command = ["scontrol", "requeue", job]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return f"job {job} could not be requeued: scontrol did not answer within {PATIENCE:.0f} seconds"
    except OSError as error:
        return f"job {job} could not be requeued: scontrol: {error.strerror}"
    if result.returncode:
        return f"job {job} could not be requeued: {result.stderr.strip() or f'scontrol ended with {result.returncode}'}"
    return f"job {job} is requeued and resumes by itself"
