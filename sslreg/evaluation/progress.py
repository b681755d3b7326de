"""The progress of evaluations on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@dataclass
class EvaluationProgress:
    """Shows which features are evaluated, by which evaluator: a bar on a terminal, a line for each part elsewhere.

    Nothing is shown outside `show`.

    Attributes:
        subject: The features that are evaluated, for example ``raw pixels``.
    """

    subject: str = ""
    _console: Console | None = field(default=None, repr=False)
    _bar: Progress | None = field(default=None, repr=False)
    _shown: str = field(default="", repr=False)

    @contextmanager
    def show(self, console: Console | None) -> Iterator[None]:
        """Show the progress on a console within the block."""
        if console is None:
            yield
            return
        columns = (
            SpinnerColumn(),
            BarColumn(20),
            MofNCompleteColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as self._bar:
            self._bar.add_task("", total=None)
            self._console = console
            try:
                yield
            finally:
                self._console, self._bar, self._shown = None, None, ""

    def report(self, part: str, done: int, total: int) -> None:
        """Report the progress of a part.

        Args:
            part: The part, for example the name of an evaluator.
            done: The number of items that are done.
            total: The number of all items.
        """
        if self._console is None or self._bar is None:
            return
        task, text = self._bar.task_ids[0], f"{self.subject}: {part}"
        if text != self._shown:
            self._shown = text
            self._bar.reset(task, total=total, description=text)
            if not self._console.is_terminal:
                self._console.print(f"  {text}", style="dim")
        self._bar.update(task, completed=done)
