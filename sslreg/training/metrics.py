"""metrics.csv: what was measured, step by step."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from sslreg.training.run_folder import replace_file


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
        """Add rows, in order. Nothing is left in a buffer."""
        new = [name for row in rows for name in row if name not in self._columns]
        texts = [{name: _text(value) for name, value in row.items()} for row in rows]
        self._rows += texts
        if new or not self.path.exists():
            self._columns += list(dict.fromkeys(new))
            replace_file(self.path, self._table(self._rows, header=True).encode())
        else:
            with self.path.open("a", newline="") as file:
                file.write(self._table(texts, header=False))

    def drop_after(self, step: int) -> None:
        """Forget the rows of later steps: a run that goes on from a checkpoint takes them again."""
        self._rows = [row for row in self._rows if int(row["step"]) <= step]
        replace_file(self.path, self._table(self._rows, header=True).encode())

    def _table(self, rows: list[dict[str, str]], header: bool) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns, restval="", lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.7g}"
