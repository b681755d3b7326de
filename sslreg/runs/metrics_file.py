"""The file metrics.csv: the figures of every step and evaluation."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from sslreg.atomic_files import append_text, explain_write_errors, write_text


class MetricsFile:
    """A CSV file of figures to which rows are appended. A new figure rewrites the file with one more column.

    Every row has `step` and `epoch`. A figure that a row lacks is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._columns = ["step", "epoch"]
        self._rows: list[dict[str, str]] = []
        if path.exists():
            # A killed process may have left a part of a line; its step is trained again.
            whole, end, _ = path.read_text(encoding="utf-8").rpartition("\n")
            reader = csv.DictReader(io.StringIO(whole + end))
            self._rows = list(reader)
            self._columns = list(reader.fieldnames or self._columns)

    def append(self, rows: list[dict[str, float]]) -> None:
        """Append rows without buffering. Raises WriteError."""
        new_columns = [name for row in rows for name in row if name not in self._columns]
        texts = [{name: _format_value(value) for name, value in row.items()} for row in rows]
        self._rows += texts
        if new_columns or not self.path.exists():
            self._columns += list(dict.fromkeys(new_columns))
            write_text(self.path, self._format_table(self._rows, header=True))
        else:
            append_text(self.path, self._format_table(texts, header=False))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def truncate(self, rows: int) -> None:
        """Delete all rows after the first `rows`: a run that resumes from a checkpoint computes the others again."""
        self._rows = self._rows[:rows]
        write_text(self.path, self._format_table(self._rows, header=True))

    def sync(self) -> None:
        """Flush all rows to the disk, because a checkpoint relies on them. Raises WriteError."""
        if self.path.exists():
            with explain_write_errors(self.path), self.path.open("rb+") as file:
                os.fsync(file.fileno())

    def _format_table(self, rows: list[dict[str, str]], header: bool) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns, restval="", lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def _format_value(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.7g}"
