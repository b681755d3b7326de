"""The training of a trial: an ordinary run, whose figures are reported as they are measured."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from rich.console import Console

import sslreg
from sslreg_tune.pruning import is_unpromising
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.trial_claims import Claim
from sslreg_tune.trial_storage import StorageError, TrialStorage

#: The codes of errors that are no fault of a trial. Its process ends, and the trial is taken over later.
OUTER_FAULTS = {"disk-full", "run-in-use", "storage", "spec-changed"}


class TrialTraining:
    """The training of a trial that this process has claimed.

    Args:
        config: What is searched.
        storage: The trials.
        claim: The claim of the trial.
        path: The folder of the run.
        show_progress: Called after each epoch.
    """

    def __init__(
        self,
        config: SearchConfig,
        storage: TrialStorage,
        claim: Claim,
        path: Path,
        show_progress: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        self.storage = storage
        self.claim = claim
        self.path = path
        self.show_progress = show_progress
        self._start = time.time()
        self._sessions = [list(session) for session in storage.read_trial(claim.number).sessions]
        self._reported: dict[int, float] = {}

    def run(self) -> None:
        """Train the trial, or resume its run, and record how it ends. A run that is finished is not trained again.

        Whatever goes wrong with the trial is recorded as the reason of its failure.

        Raises:
            InterruptedRunError, StoppedRunError: A signal arrived. The trial can be resumed.
            SslregError: The disk is full, the storage does not answer, or another process uses the folder of the run.
        """
        try:
            self._train()
        except (sslreg.InterruptedRunError, sslreg.StoppedRunError):
            raise
        except Exception as error:
            if _is_outer_fault(error):
                raise
            reason = _describe(error)
        else:
            return
        finally:
            gc.collect()  # a failed run is part of reference cycles, and may occupy the memory of a device
        self._record(None)
        self.storage.fail(self.claim.number, reason)

    def _train(self) -> None:
        number = self.claim.number
        spec = self.config.build_spec(self.claim.values, self.claim.seed)
        self._record(None)
        run = sslreg.train_or_resume(spec, self.path, console=Console(quiet=True), should_stop=self._should_stop)
        summary = run.summary
        self._record(summary["epochs"])
        self._report()
        if summary["ended_early"]:
            self.storage.prune(number)
            return
        figure = self.config.figure.read(run)
        if not math.isfinite(figure):
            self.storage.fail(number, f"{self.config.figure.name} is {figure}")
        else:
            self.storage.finish(number, figure)

    def _should_stop(self, epochs: int, figures: Mapping[str, float]) -> bool:
        """Report what was measured after an epoch, and return whether the trial should end."""
        # While the storage does not answer, the training continues. The figures are reported later.
        with suppress(StorageError), self.storage.without_retries():
            self._record(epochs)
            self._report()
            self.show_progress()
            if self.config.prunes:
                return self._is_unpromising(epochs)
        return False

    def _is_unpromising(self, epochs: int) -> bool:
        intermediate = self.config.figure.read_epochs(self.path)
        return epochs in intermediate and is_unpromising(
            self.claim.number,
            self.claim.origin,
            intermediate,
            self.storage.read_trials(),
            lowest=self.config.figure.lowest,
            max_epochs=self.config.max_epochs,
        )

    def _report(self) -> None:
        """Report the figures that were not reported before."""
        for epochs, figure in self.config.figure.read_epochs(self.path).items():
            if self._reported.get(epochs) != figure:
                self.storage.report(self.claim.number, epochs, figure)
                self._reported[epochs] = figure

    def _record(self, epochs: int | None) -> None:
        """Record the time of this session, and the number of finished epochs if it is known."""
        number = self.claim.number
        self.storage.set_trial_attribute(number, "sessions", [*self._sessions, [self._start, time.time()]])
        if epochs is not None:
            self.storage.set_trial_attribute(number, "epochs", epochs)


def _is_outer_fault(error: Exception) -> bool:
    return isinstance(error, sslreg.SslregError) and error.diagnostics[0].code in OUTER_FAULTS


def _describe(error: Exception) -> str:
    """Return the reason of a failure, without the place in a file."""
    if isinstance(error, sslreg.SslregError):
        return error.diagnostics[0].message
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
