"""Worker processes of a study, which share its trials."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import sslreg
from sslreg_tune.budget import Budget
from sslreg_tune.interruption import StopListener, interrupted_error
from sslreg_tune.progress import StudyProgress
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.trial_claims import TrialClaims
from sslreg_tune.trial_storage import StorageError

#: The seconds between two looks at the workers, and between two looks at the trials.
INTERVAL, SHOW_INTERVAL = 0.1, 1.0
#: How often a trial may end the process that trains it.
MAX_DEATHS = 3


@dataclass(frozen=True)
class Assignment:
    """The work of a worker.

    Attributes:
        folder: The folder of the study.
        config: What is searched.
        storage: The URL of the database, None for the one in the folder.
        budget: When no further trial begins.
        ended: The numbers of the trials that had ended before the session.
        threads: The number of threads of the worker.
    """

    folder: Path
    config: SearchConfig
    storage: str | None
    budget: Budget
    ended: frozenset[int]
    threads: int


class WorkerPool:
    """The worker processes of a study on this machine.

    Each has an equal share of the cores as threads. If there are GPUs, each worker sees one, and they are spread
    evenly. A worker that dies, for example because memory is short, is replaced, and its trial taken over; a trial that
    has ended three workers is recorded as failed. If this process dies, its workers save their trials and end.

    Args:
        assignment: The work of each worker.
        count: The number of workers.
        claims: The claims of the trials.
        progress: The progress.
        stop: The signals that ask the study to stop.
    """

    def __init__(
        self, assignment: Assignment, count: int, claims: TrialClaims, progress: StudyProgress, stop: StopListener
    ) -> None:
        self.assignment = assignment
        self.count = count
        self.claims = claims
        self.progress = progress
        self.stop = stop
        self._devices = list_devices()
        self._deaths: Counter[int] = Counter()
        self._idle_deaths = 0
        self._failure: sslreg.SslregError | None = None

    def run(self) -> None:
        """Run trials in the workers until there is nothing left to do.

        Raises:
            InterruptedRunError: A signal arrived, and the workers have saved their trials.
            SslregError: A worker has ended with an error that concerns the study.
        """
        workers = [self._start(number) for number in range(self.count)]
        try:
            self._wait(workers)
        except BaseException as error:
            for worker in workers:
                if isinstance(error, KeyboardInterrupt):
                    worker.process.kill()
                else:
                    worker.process.terminate()
            raise
        finally:
            for worker in workers:
                worker.close()
        if self.stop.received is not None:
            raise interrupted_error(self.stop.received)
        if self._failure is not None:
            raise self._failure

    def _start(self, number: int) -> Worker:
        return Worker(number, self.assignment, self._devices[number % len(self._devices)] if self._devices else None)

    def _wait(self, workers: list[Worker]) -> None:
        is_stopping, shown = False, 0.0
        while any(worker.is_running for worker in workers):
            time.sleep(INTERVAL)
            if self.stop.received is not None and not is_stopping:
                is_stopping = True
                for worker in workers:
                    worker.process.terminate()
            if time.monotonic() - shown >= SHOW_INTERVAL:
                self._show()
                shown = time.monotonic()
            for index, worker in enumerate(workers):
                if not worker.is_running and not worker.is_closed:
                    replacement = self._end(worker, is_stopping)
                    if replacement is not None:
                        workers[index] = replacement

    def _show(self) -> None:
        # Workers continue to train while the storage does not answer.
        with suppress(StorageError), self.claims.storage.without_retries():
            self.progress.show(self.claims.storage.read_trials())

    def _end(self, worker: Worker, is_stopping: bool) -> Worker | None:
        """Note how a worker has ended, and return its replacement if it has died."""
        error = worker.close()
        if worker.process.returncode == 0 or is_stopping:
            return None
        if error is not None:
            self._failure = self._failure or error
            return None
        self._count_death(worker)
        return None if self._failure is not None else self._start(worker.number)

    def _count_death(self, worker: Worker) -> None:
        """Count the death of a worker for the trials that it has left, and fail a trial that has had too many."""
        abandoned = self.claims.find_abandoned()
        self._deaths.update(abandoned)
        for number in abandoned:
            if self._deaths[number] >= MAX_DEATHS:
                self.claims.storage.fail(number, f"it has ended {MAX_DEATHS} processes: {worker.describe_end()}")
        if not abandoned:
            self._idle_deaths += 1
        if self._idle_deaths >= MAX_DEATHS:
            self._failure = sslreg.SslregError(
                f"worker processes end without a trial: {worker.describe_end()}",
                hint="run the study without --parallel",
                code="worker",
            )


class Worker:
    """A worker process.

    Args:
        number: Its number.
        assignment: Its work.
        device: The GPU that it sees, None for all.
    """

    def __init__(self, number: int, assignment: Assignment, device: str | None) -> None:
        self.number = number
        self.is_closed = False
        self._last_line = ""
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), str(assignment.threads))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sslreg_tune.worker_program"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | threads | ({} if device is None else {"CUDA_VISIBLE_DEVICES": device}),
            # A Ctrl-C in the terminal reaches this process alone, which passes it on.
            start_new_session=True,
        )
        assert self.process.stdin is not None
        # The pipe stays open: its end tells the worker that this process has died.
        with suppress(BrokenPipeError):  # a worker that has died is noticed later
            self.process.stdin.write(pickle.dumps(assignment))
            self.process.stdin.flush()

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def close(self) -> sslreg.SslregError | None:
        """Wait for the worker and close its pipes.

        Returns:
            The error with which the worker has ended; None if there was none, or if the worker died.
        """
        self.process.wait()
        if self.is_closed:
            return None
        self.is_closed = True
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        with self.process.stdout as output, self._errors as errors:
            text = output.read()
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
        self._last_line = lines[-1] if lines else ""
        with suppress(ValueError):
            return sslreg.SslregError(*(sslreg.Diagnostic(**diagnostic) for diagnostic in json.loads(text)))
        return None

    def describe_end(self) -> str:
        """Return how a closed worker has died: the signal, or the last line of its errors."""
        status = self.process.returncode
        if status is not None and status < 0:
            name = signal.Signals(-status).name
            return f"{name}, perhaps because memory is short" if name == "SIGKILL" else name
        return self._last_line or f"status {status}"


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_threads(count: int) -> int:
    """Return the number of threads of each of several workers: an equal share of the cores, at least one.

    ``OMP_NUM_THREADS`` limits it.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    share = max(1, count_cores() // count)
    return min(share, int(limit)) if limit.isdecimal() and int(limit) else share


def list_devices() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = list(map(str, range(torch.cuda.device_count()))) if visible is None else visible.split(",")
    return [name for name in names if name.strip()]
