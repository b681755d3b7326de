"""The program of a worker process: ``python -m sslreg_tune.worker_program``, with its work on the standard input."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
import threading

import torch

import sslreg
from sslreg_tune.interruption import StopListener
from sslreg_tune.study import Study
from sslreg_tune.workers import Assignment


def main() -> int:
    """Run a worker: read the assignment from the standard input, and write an error to the standard output."""
    assignment: Assignment = pickle.load(sys.stdin.buffer)
    answer = os.dup(1)
    os.dup2(2, 1)  # what components print
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    with StopListener() as stop, os.fdopen(answer, "w") as output:
        try:
            _run(assignment, stop)
        except sslreg.SslregError as error:
            json.dump([diagnostic.as_json() for diagnostic in error.diagnostics], output)
            return error.exit_status
    return 0


def _run(assignment: Assignment, stop: StopListener) -> None:
    torch.set_num_threads(assignment.threads)
    study = Study(assignment.folder, assignment.config, storage=assignment.storage, budget=assignment.budget)
    study.run_trials(assignment.budget, assignment.ended, stop)


def _stop_with_parent() -> None:
    """Stop this process as a queue would, when the standard input ends because the parent has died."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
