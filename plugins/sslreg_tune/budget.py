"""The budget of a study: when no further trial begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sslreg_tune.trial_storage import StoredTrial


@dataclass(frozen=True)
class Budget:
    """The limits of a study, over all of its sessions, processes and machines. The first one that is reached counts.

    A trial that has begun is trained to its end. A repeated command may have another budget.

    Attributes:
        trials: The number of trials, including those that were pruned or failed.
        hours: The hours in which at least one trial was trained. Trials at the same time count once, and a pause
            between two sessions does not count.
        epochs: The number of epochs of all trials. A running trial counts with all epochs that it may train.
    """

    trials: int | None = None
    hours: float | None = None
    epochs: int | None = None

    def is_used_up(self, trials: Sequence[StoredTrial], max_epochs: int | None) -> bool:
        """Return whether no further trial may begin.

        Args:
            trials: All trials of the study.
            max_epochs: The number of epochs of a trial that is not pruned, None if the spec does not limit it.
        """
        if self.trials is not None and len(trials) >= self.trials:
            return True
        if self.hours is not None and count_busy_seconds(trials) >= 3600 * self.hours:
            return True
        return self.epochs is not None and count_epochs(trials, max_epochs) >= self.epochs

    def estimate_trials(self, max_epochs: int | None) -> int | None:
        """Return the number of trials that the budget allows, None if that is unknown."""
        by_epochs = None if self.epochs is None or not max_epochs else max(1, self.epochs // max_epochs)
        counts = [count for count in (self.trials, by_epochs) if count is not None]
        return min(counts) if counts else None


def count_epochs(trials: Sequence[StoredTrial], max_epochs: int | None) -> int:
    """Return the number of trained epochs; a running trial counts with `max_epochs`, if that is known."""
    return sum((max_epochs or trial.epochs) if trial.state == "running" else trial.epochs for trial in trials)


def count_busy_seconds(trials: Sequence[StoredTrial]) -> float:
    """Return the seconds in which at least one trial was trained, as far as processes have reported it."""
    busy, end = 0.0, float("-inf")
    for start, stop in sorted(session for trial in trials for session in trial.sessions):
        busy += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return busy
