"""Claims of trials: each is trained by one process, and one whose process has ended is taken over by another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sslreg
from sslreg_tune.budget import Budget
from sslreg_tune.parameters import Values
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.trial_record import Origin
from sslreg_tune.trial_storage import StoredTrial, TrialStorage
from sslreg_tune.trial_values import choose_values

#: The seconds after which a trial in another folder that reports nothing is lost, for example because a machine broke.
LOST_AFTER = 24 * 3600.0


@dataclass(frozen=True)
class Claim:
    """A trial that this process alone trains, until it releases the lock or ends.

    Attributes:
        number: The number of the trial.
        values: The values of its parameters.
        seed: The seed of its run.
        origin: Where its values come from.
        lock: The lock of the trial, which this process holds.
    """

    number: int
    values: Values
    seed: int
    origin: Origin
    lock: sslreg.ProcessLock


class TrialClaims:
    """The claims of the trials whose runs are in one folder.

    A trial belongs to the process that holds its lock, a file in the folder. The operating system releases the lock
    when the process ends, however it ends; then the trial is free, and the next process that looks for work takes it
    over. This works for processes on several machines if they share the folder. A trial whose run is in another folder
    is left alone: from here, nobody can see whether its process is alive, nor resume its run.

    Args:
        folder: The folder of the study.
        folder_id: The ID of the folder, which trials carry in the database.
        storage: The trials.
        config: What is searched.
        design_size: The number of design trials.
    """

    def __init__(
        self, folder: Path, folder_id: str, storage: TrialStorage, config: SearchConfig, design_size: int
    ) -> None:
        self.folder_id = folder_id
        self.storage = storage
        self.config = config
        self.design_size = design_size
        self.locks = folder / "locks"
        self.locks.mkdir(exist_ok=True)

    def take(self, budget: Budget) -> Claim | None:
        """Claim a free trial, or create one if the budget allows it; return None if there is nothing to do.

        Raises:
            StorageError: The database does not answer.
            SslregError: The file system cannot lock.
        """
        with hold_study_lock(self.locks):
            trials = self.storage.read_trials()
            for trial in trials:
                if trial.state == "running" and (claim := self._take_over(trial, trials)) is not None:
                    return claim
            if budget.is_used_up(trials, self.config.max_epochs) or self._has_list_ended(trials):
                return None
            number = self.storage.create_trial(self.folder_id)
            lock = self._lock(number)
            lock.acquire(wait=True)
            return self._claim(self.storage.read_trial(number), self.storage.read_trials(), lock)

    def may_end(self, trial: StoredTrial) -> bool:
        """Return whether a trial runs, and its process, if it is in another folder, was heard of lately."""
        is_lost = trial.folder != self.folder_id and time.time() - trial.seen > LOST_AFTER
        return trial.state == "running" and not is_lost

    def find_abandoned(self) -> list[int]:
        """Return the numbers of running trials in this folder whose processes have ended."""
        with hold_study_lock(self.locks):
            running = [trial for trial in self.storage.read_trials() if trial.state == "running"]
            return [
                trial.number
                for trial in running
                if trial.folder == self.folder_id and not self._lock(trial.number).is_held()
            ]

    def _take_over(self, trial: StoredTrial, trials: list[StoredTrial]) -> Claim | None:
        """Claim a running trial if its run is in this folder and its process has ended."""
        if trial.folder != self.folder_id:
            return None
        lock = self._lock(trial.number)
        if not lock.acquire():
            return None
        if self.storage.read_trial(trial.number).state != "running":  # it has ended since it was read
            lock.release()
            return None
        return self._claim(trial, trials, lock)

    def _claim(self, trial: StoredTrial, trials: list[StoredTrial], lock: sslreg.ProcessLock) -> Claim | None:
        """Return the claim of a locked trial, and choose its values unless an earlier process has done so."""
        try:
            return self._claim_locked(trial, trials, lock)
        except BaseException:
            lock.release()
            raise

    def _claim_locked(self, trial: StoredTrial, trials: list[StoredTrial], lock: sslreg.ProcessLock) -> Claim | None:
        if trial.values is not None:
            return Claim(trial.number, dict(trial.values), trial.seed, trial.origin, lock)
        chosen = choose_values(self.config, trials, trial.number, self.design_size)
        if chosen is None:  # processes in different folders have created more trials than the list has
            self.storage.fail(trial.number, "all trials of the list have begun")
            lock.release()
            return None
        self.storage.assign(trial.number, chosen)
        return Claim(trial.number, chosen.values, chosen.seed, chosen.origin, lock)

    def _has_list_ended(self, trials: list[StoredTrial]) -> bool:
        return self.config.trials is not None and len(trials) >= len(self.config.trials)

    def _lock(self, number: int) -> sslreg.ProcessLock:
        return sslreg.ProcessLock(self.locks / f"{number:04}")


@contextmanager
def hold_study_lock(folder: Path) -> Iterator[None]:
    """Hold the lock in a folder of locks, while the caller looks for a trial.

    Raises:
        SslregError: The file system cannot lock.
    """
    lock = sslreg.ProcessLock(folder / "study")
    try:
        lock.acquire(wait=True)
    except OSError as error:
        raise sslreg.SslregError(
            f"{folder.parent} cannot be locked ({error.strerror}), so that processes could train a trial twice",
            hint="choose a folder on another file system with --out",
            code="unlockable",
        ) from error
    try:
        yield
    finally:
        lock.release()
