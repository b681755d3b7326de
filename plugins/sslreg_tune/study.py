"""A study: trials of a search that one or more processes run, and that a repeated command continues."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

import sslreg
from sslreg_tune.budget import Budget
from sslreg_tune.interruption import StopListener, explain_interruption, stopped_error
from sslreg_tune.progress import StudyProgress
from sslreg_tune.search_config import SearchConfig, require_same_search
from sslreg_tune.trial_claims import TrialClaims, hold_study_lock
from sslreg_tune.trial_record import TrialRecord, find_best
from sslreg_tune.trial_storage import StoredTrial, TrialStorage, describe_url, file_url, parse_url
from sslreg_tune.trial_training import TrialTraining
from sslreg_tune.trial_values import choose_design_size
from sslreg_tune.workers import Assignment, WorkerPool, share_threads

#: The number of failures in a row that ends a session.
MAX_FAILURES = 10


class Study:
    """The trials of a search, in a folder and a database.

    ::

        config = SearchConfig(spec_file, overrides, figure, space, validation=0.3)
        study = Study(Path("studies/mine"), config, budget=Budget(trials=40))
        has_ended = study.run(Budget(trials=40), parallel=2, console=console)
        best = study.best()  # None if no trial is finished

    Opening a study that exists continues it. `run` returns when there is nothing left to do here, and may be called
    again with another budget. Each process that runs trials is either a study that was opened with the same arguments,
    on this or another machine, or a worker of one.

    What is searched is in ``study.json`` and in the database. Runs are in ``trials/NUMBER``.

    Args:
        folder: The folder of the study, which is created if it is missing.
        config: What is searched.
        storage: The URL of the database; by default ``study.db`` in the folder. Studies in a shared database have the
            names of their folders.
        budget: The budget with which the study is started, by which the number of design trials is chosen.

    Attributes:
        folder: The folder.
        config: What is searched.

    Raises:
        UserError: The study was started with another configuration or storage, the URL is wrong, or this process is
            one of several of a distributed training.
        SslregError: The database cannot be opened, or the folder cannot be created or locked.
    """

    def __init__(self, folder: Path, config: SearchConfig, *, storage: str | None = None, budget: Budget) -> None:
        self.folder = folder
        self.config = config
        self.storage_url = storage
        url = file_url(folder / "study.db") if storage is None else parse_url(storage)
        description = config.describe()
        _require_single_process()
        _create_folder(folder)
        with hold_study_lock(folder / "locks"):
            content = _read_study_file(folder)
            if content is not None:
                require_same_search(content["search"], description, f"the study in {folder}")
                _require_same_storage(content["storage"], None if storage is None else describe_url(url), folder)
            self.storage = TrialStorage(url, folder.name, lowest=config.figure.lowest)
            attributes = self._describe_in_storage(description, budget)
            if content is None:
                content = {
                    "search": description,
                    "spec": config.source,
                    "storage": None if storage is None else describe_url(url),
                    "id": uuid.uuid4().hex,
                }
                with sslreg.atomic_write(folder / "study.json") as draft:
                    draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        self.claims = TrialClaims(folder, content["id"], self.storage, config, attributes["design_size"])

    def _describe_in_storage(self, description: dict[str, Any], budget: Budget) -> dict[str, Any]:
        """Describe a new study in the database, and return its attributes.

        Raises:
            UserError: A study with another configuration is there.
        """
        if "search" not in self.storage.read_attributes():
            size = choose_design_size(self.config, budget.estimate_trials(self.config.max_epochs))
            self.storage.set_attribute("design_size", size)
            self.storage.set_attribute("search", description)
        # Another machine may have been faster.
        attributes = self.storage.read_attributes()
        study = f"the study {self.folder.name} in {describe_url(self.storage.url)}"
        require_same_search(attributes["search"], description, study)
        return attributes

    def records(self) -> list[TrialRecord]:
        """Return the records of all trials whose values are known, by number."""
        return [
            TrialRecord(
                number=trial.number,
                state=trial.state,
                values=trial.values,
                figure=trial.figure,
                intermediate=trial.intermediate,
                path=self.trial_path(trial.number),
                reason=trial.reason,
                seed=trial.seed,
                origin=trial.origin,
                epochs=trial.epochs,
            )
            for trial in self.storage.read_trials()
            if trial.values is not None
        ]

    def best(self) -> TrialRecord | None:
        """Return the finished trial with the best figure, the first of equal ones; None if no trial is finished."""
        best = find_best(self.storage.read_trials(), lowest=self.config.figure.lowest)
        return None if best is None else next(record for record in self.records() if record.number == best.number)

    def trial_path(self, number: int) -> Path:
        """Return the folder of the run of a trial."""
        return self.folder / "trials" / f"{number:04}"

    def run(self, budget: Budget, *, parallel: int = 1, console: Console) -> bool:
        """Run trials until the budget is used up, and return whether all trials have ended.

        Other processes may still run trials. The last one to return is told so.

        Args:
            budget: When no further trial begins.
            parallel: The number of processes. A single one is this process.
            console: Where progress is shown.

        Raises:
            InterruptedRunError, StoppedRunError: A signal arrived. The same command continues.
            SslregError: Ten trials in a row have failed, the storage does not answer, or the disk is full.
        """
        trials = self.storage.read_trials()
        ended = frozenset(trial.number for trial in trials if trial.state != "running")
        with StudyProgress(self.config, console, trials) as progress, StopListener() as stop:
            if parallel == 1:
                self.run_trials(budget, ended, stop, progress)
            else:
                threads = share_threads(parallel)
                assignment = Assignment(self.folder, self.config, self.storage_url, budget, ended, threads)
                try:
                    WorkerPool(assignment, parallel, self.claims, progress, stop).run()
                except KeyboardInterrupt as error:
                    raise stopped_error() from error
            trials = self.storage.read_trials()
            progress.show(trials)
        return not any(map(self.claims.may_end, trials))

    @contextmanager
    def claim_comparison(self) -> Iterator[bool]:
        """Claim the final comparison for the block, and yield whether no other process has it.

        A process that begins when all trials have ended may find that another one already trains the finalists. Its
        interruption is explained as one of the study.
        """
        lock = sslreg.ProcessLock(self.folder / "locks" / "comparison")
        is_claimed = lock.acquire()
        try:
            with explain_interruption():
                yield is_claimed
        finally:
            lock.release()

    def run_trials(
        self, budget: Budget, ended: frozenset[int], stop: StopListener, progress: StudyProgress | None = None
    ) -> None:
        """Run trials in this process until there is nothing left to do.

        Args:
            budget: When no further trial begins.
            ended: The numbers of the trials that had ended before this session.
            stop: The signals that ask the study to stop.
            progress: The progress; None if another process shows it.
        """

        def show() -> None:
            if progress is not None:
                progress.show(self.storage.read_trials())

        while True:
            stop.raise_if_received()
            require_success(self.storage.read_trials(), ended)
            claim = self.claims.take(budget)
            if claim is None:
                return
            try:
                stop.raise_if_received()
                training = TrialTraining(self.config, self.storage, claim, self.trial_path(claim.number), show)
                with explain_interruption():
                    training.run()
            finally:
                claim.lock.release()
            show()


def require_success(trials: Sequence[StoredTrial], ended: frozenset[int]) -> None:
    """Raise SslregError if the last ten trials that ended in this session have failed.

    Failures of earlier sessions do not count, because their cause may have been removed.

    Args:
        trials: All trials.
        ended: The numbers of the trials that had ended before this session.
    """
    new = [trial for trial in trials if trial.state != "running" and trial.number not in ended]
    last = sorted(new, key=lambda trial: (trial.ended or 0.0, trial.number))[-MAX_FAILURES:]
    if len(last) == MAX_FAILURES and all(trial.state == "failed" for trial in last):
        raise sslreg.SslregError(
            f"{MAX_FAILURES} trials in a row have failed; the last one, trial {last[-1].number}: {last[-1].reason}",
            hint="remove the cause and continue with the same command",
            code="failing-trials",
        )


def _require_single_process() -> None:
    """Raise a UserError if a launcher has started this process as one of several that train together."""
    for variable in ("WORLD_SIZE", "SLURM_NTASKS"):
        if int(os.environ.get(variable) or 1) > 1:
            raise sslreg.UserError(
                f"each process of a study trains alone, and {variable} is {os.environ[variable]}",
                hint="use a job array with one task per job, or --parallel",
                code="bad-argument",
            )


def _create_folder(folder: Path) -> None:
    try:
        (folder / "locks").mkdir(parents=True, exist_ok=True)
        (folder / "trials").mkdir(exist_ok=True)
    except OSError as error:
        raise sslreg.SslregError(
            f"the folder {folder} of the study cannot be created: {error.strerror}",
            hint="choose another with --out",
            code="unwritable",
        ) from error


def _read_study_file(folder: Path) -> dict[str, Any] | None:
    path = folder / "study.json"
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        content["search"], content["storage"], content["id"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise sslreg.UserError(
            f"{path} is damaged: {error}", hint="restore it, or start another study with --out", code="other-study"
        ) from error
    return content


def _require_same_storage(before: str | None, now: str | None, folder: Path) -> None:
    if before != now:
        was, hint = "its own study.db", "repeat the command without --storage"
        if before is not None:
            was, hint = before, f"repeat the command with --storage {before}"
        raise sslreg.UserError(
            f"the trials of the study in {folder} are in {was}",
            hint=f"{hint}, or start another study with --out",
            code="other-study",
        )
