"""The progress of a run on the terminal."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from typing import Any

import lightning.pytorch as lightning
from lightning.pytorch.callbacks import Callback
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from sslreg.evaluation.embedding_statistics import FIGURES
from sslreg.training.callbacks.metrics_recorder import MetricsRecorder
from sslreg.training.callbacks.step_timer import StepTimer

#: Without a terminal: the least seconds between two lines, at the ends of epochs and within an epoch.
LINE_EVERY = 10.0
LINE_WITHIN_EPOCH_EVERY = 60.0
#: Refreshes of the bar per second. Each takes a millisecond from the thread that trains.
REFRESHES_PER_SECOND = 2
#: Columns of the bar, and the columns around it: the spinner, the time left and the gaps.
BAR_WIDTH, OTHER_WIDTH = 20, 12


class TrainingProgress(Callback):
    """A bar on a terminal, a line every few seconds elsewhere.

    Both show the loss, the learning rate, images/s, the share of waiting, the latest evaluation and the time left. The
    time left assumes the pace since the training started or resumed, evaluations included. On a narrow terminal the bar
    and the time left stay; the other figures are dropped, the least important ones first.
    """

    def __init__(self, console: Console, timer: StepTimer, recorder: MetricsRecorder) -> None:
        self.console = console
        self.timer = timer
        self.recorder = recorder
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._last_line = 0.0
        self._start = (0.0, 0)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        if self.console.is_terminal:
            self._progress = Progress(
                *self._columns(),
                console=self.console,
                refresh_per_second=REFRESHES_PER_SECOND,
                transient=True,
                expand=True,
            )
            self._task = self._progress.add_task("train", total=trainer.estimated_stepping_batches, status="")
            self._progress.start()
        self._last_line = time.monotonic()
        self._start = time.monotonic(), trainer.global_step

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._progress is not None:
            self._progress.update(self._task, completed=trainer.global_step, status=self._short_status(trainer))
        else:
            self._print_line(trainer, LINE_WITHIN_EPOCH_EVERY)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._print_line(trainer, LINE_EVERY)

    def _print_line(self, trainer: lightning.Trainer, every: float) -> None:
        now = time.monotonic()
        if self._progress is None and trainer.is_global_zero and now - self._last_line >= every:
            self._last_line = now
            start, done = self._start
            left = format_time_left(now - start, trainer.global_step - done, trainer.estimated_stepping_batches - done)
            self.console.print(self._status(trainer) + (f"  {left} left" if left else ""), highlight=False)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._stop()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _columns(self) -> tuple[ProgressColumn, ...]:
        # Only the status may be cut off.
        status = TextColumn(
            "{task.fields[status]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)
        )
        return (
            SpinnerColumn(),
            BarColumn(BAR_WIDTH, table_column=Column(min_width=BAR_WIDTH)),
            TimeRemainingColumn(),
            status,
        )

    def _short_status(self, trainer: lightning.Trainer) -> str:
        """Return as much of the status as fits next to the bar."""
        return "  ".join(fit_figures(self._figures(trainer), self.console.width - BAR_WIDTH - OTHER_WIDTH))

    def _status(self, trainer: lightning.Trainer) -> str:
        return "  ".join(text for text, _ in self._figures(trainer))

    def _figures(self, trainer: lightning.Trainer) -> list[tuple[str, int]]:
        """Return the figures in the order in which they are shown, each with its rank: 0 is the most important one."""
        latest = self.recorder.latest
        figures = [(f"epoch {trainer.current_epoch + 1}" + (f"/{trainer.max_epochs}" if trainer.max_epochs else ""), 0)]
        if "loss" in latest:
            figures += [(f"loss {latest['loss']:.4g}", 1), (f"lr {latest['lr']:.3g}", 4)]
        figures.append((f"{self.timer.images_per_second:,.0f} images/s", 2))
        figures.append((f"waiting {self.timer.times.waiting_share:.0%}", 3))
        evaluated = [(name, value) for name, value in self.recorder.evaluated.items() if name not in FIGURES]
        return figures + [(f"{name} {value:.3f}", 5 + rank) for rank, (name, value) in enumerate(evaluated)]


def fit_figures(figures: list[tuple[str, int]], width: int) -> list[str]:
    """Drop the least important figures until the others fit into a line. One remains in any case.

    Args:
        figures: The figures, each with its rank: 0 is the most important one.
        width: The columns of the line, with two columns between two figures.
    """
    while len(figures) > 1 and sum(cell_len(text) + 2 for text, _ in figures) - 2 > width:
        figures = [figure for figure in figures if figure[1] != max(rank for _, rank in figures)]
    return [text for text, _ in figures]


def format_time_left(seconds: float, done: int, steps: float) -> str | None:
    """Return the time that the remaining steps take, as h:mm:ss, or None if it is unknown.

    Args:
        seconds: The time that the finished steps took.
        done: The number of finished steps.
        steps: The number of all steps.
    """
    if done <= 0 or not math.isfinite(steps):
        return None
    return str(timedelta(seconds=round(seconds / done * max(0, steps - done))))
