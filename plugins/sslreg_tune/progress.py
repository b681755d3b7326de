"""The progress of a study: a line for each trial that ends, and on a terminal one for those that run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.status import Status

from sslreg_tune.number_format import format_level
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.trial_record import find_best
from sslreg_tune.trial_storage import StoredTrial


class StudyProgress:
    """The progress of a study on a console, active inside a ``with`` block.

    Trials of other processes and machines are shown as well, when they end.

    Args:
        config: What is searched.
        console: Where to print.
        trials: The trials so far. Those that have ended are not shown again.
    """

    def __init__(self, config: SearchConfig, console: Console, trials: Sequence[StoredTrial]) -> None:
        self.config = config
        self.console = console
        self._shown = {trial.number for trial in trials if trial.state != "running"}
        self._status = Status("", console=console) if console.is_terminal else None
        if self._shown:
            best = find_best(trials, lowest=config.figure.lowest)
            count = f"{len(self._shown)} trial{'s' * (len(self._shown) != 1)}"
            console.print(f"{count} so far{_format_best(best, ', best ')}", highlight=False)

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, trials: Sequence[StoredTrial]) -> None:
        """Print a line for each trial that has ended since the last call, in the order in which they ended."""
        ended = [trial for trial in trials if trial.state != "running" and trial.number not in self._shown]
        for trial in sorted(ended, key=lambda trial: (trial.ended or 0.0, trial.number)):
            self._shown.add(trial.number)
            known = [other for other in trials if other.number in self._shown]
            best = find_best(known, lowest=self.config.figure.lowest)
            self.console.print(self._format(trial, best), markup=False, highlight=False, soft_wrap=True)
        if self._status is not None:
            running = [trial for trial in trials if trial.state == "running" and trial.values is not None]
            self._status.update("  ".join(map(self._format_running, running)))

    def _format(self, trial: StoredTrial, best: StoredTrial | None) -> str:
        match trial.state:
            case "failed":
                result = f"failed: {trial.reason}"
            case "pruned":
                result = f"pruned after epoch {trial.epochs}{_format_latest(trial, ' at ')}"
            case _:
                result = "" if trial.figure is None else format_level(trial.figure)
        values = "" if trial.values is None else f"  {self.config.space.describe(dict(trial.values))}"
        return f"trial {trial.number}  {result}{_format_best(best, '  best ')}{values}"

    def _format_running(self, trial: StoredTrial) -> str:
        total = "" if self.config.max_epochs is None else f"/{self.config.max_epochs}"
        latest = _format_latest(trial, f" {self.config.figure.name} ")
        return f"trial {trial.number}: epoch {trial.epochs}{total}{latest}"


def _format_latest(trial: StoredTrial, prefix: str) -> str:
    return f"{prefix}{format_level(trial.intermediate[max(trial.intermediate)])}" if trial.intermediate else ""


def _format_best(best: StoredTrial | None, prefix: str) -> str:
    return "" if best is None or best.figure is None else f"{prefix}{format_level(best.figure)} (trial {best.number})"
