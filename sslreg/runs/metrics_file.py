"""metrics.csv: what was measured, step by step."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from sslreg.atomic_files import explain_write_errors, write_text


class MetricsFile:
    """Appends rows of figures to a CSV file whose columns may grow: a new figure rewrites the file with one more.

    Every row has `step` and `epoch`; a figure that a row lacks is empty there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._columns = ["step", "epoch"]
        self._rows: list[dict[str, str]] = []
        if path.exists():
            # A process that was killed may have left a part of a line; its step is taken again.
            whole, end, _ = path.read_text().rpartition("\n")
            reader = csv.DictReader(io.StringIO(whole + end))
            self._rows = list(reader)
            self._columns = list(reader.fieldnames or self._columns)

    def append(self, rows: list[dict[str, float]]) -> None:
        """Add rows, in order. Nothing is left in a buffer. SslregError: they cannot be written."""
        new = [name for row in rows for name in row if name not in self._columns]
        texts = [{name: _text(value) for name, value in row.items()} for row in rows]
        self._rows += texts
        if new or not self.path.exists():
            self._columns += list(dict.fromkeys(new))
            write_text(self.path, self._table(self._rows, header=True))
        else:
            with explain_write_errors(self.path), self.path.open("a", newline="") as file:
                file.write(self._table(texts, header=False))

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._rows)

    def keep(self, rows: int) -> None:
        """Forget all rows but the first so many: a run that goes on from a checkpoint takes the others again."""
        self._rows = self._rows[:rows]
        write_text(self.path, self._table(self._rows, header=True))

    def sync(self) -> None:
        """Have the disk hold all rows, as a checkpoint that counts on them has to. SslregError: it cannot."""
        if self.path.exists():
            with explain_write_errors(self.path), self.path.open("rb") as file:
                os.fsync(file.fileno())

    def _table(self, rows: list[dict[str, str]], header: bool) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns, restval="", lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.7g}"
