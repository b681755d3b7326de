"""Reads the curves of a run from metrics.csv, also while the run trains. Imports no torch."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path

#: The steps and values of a metric.
Curve = list[tuple[float, float]]


class CurveReader:
    """A reader of a metrics.csv that reads only what was appended since its last update.

    ::

        reader = CurveReader(folder / "metrics.csv")
        while True:
            if reader.update():
                draw(reader.curves)

    Args:
        path: The file, which may not exist yet.

    Attributes:
        curves: The finite values of each metric over the steps.
        step: The last step; 0 before the first.
        epoch: The epoch of the last step, from 0.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int, int] | None = None
        self._start_over()

    def _start_over(self) -> None:
        self.curves: dict[str, Curve] = {}
        self.step, self.epoch = 0, 0
        self._columns: list[str] = []
        self._end = 0
        self._last_line = b""

    def update(self) -> bool:
        """Read the lines that are new, and return whether there are any.

        A file that was replaced, as by a run that resumes, is read from its start.
        """
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
                if stamp == self._stamp:
                    return False
                file.seek(self._end - len(self._last_line))
                is_same_file = self._stamp is not None and stamp[0] == self._stamp[0]
                # The number of a file that was replaced may be used again.
                if not is_same_file or file.read(len(self._last_line)) != self._last_line:
                    self._start_over()
                    file.seek(0)
                content = file.read()
        except OSError:
            return False
        self._stamp = stamp
        # A run that is being written, or was killed, may have an incomplete line at its end.
        lines = content[: content.rfind(b"\n") + 1].splitlines(keepends=True)
        if lines:
            self._append(lines)
        return bool(lines)

    def _append(self, lines: list[bytes]) -> None:
        self._end += sum(map(len, lines))
        self._last_line = lines[-1]
        rows = csv.reader(line.decode("utf-8", errors="replace") for line in lines)
        if not self._columns:
            self._columns = next(rows)
        for row in rows:
            cells = dict(zip(self._columns, row, strict=False))
            step, epoch = (_parse(cells.pop(name, "")) for name in ("step", "epoch"))
            if step is None or epoch is None:
                continue
            self.step, self.epoch = int(step), int(epoch)
            for name, text in cells.items():
                if text and (value := _parse(text)) is not None:
                    self.curves.setdefault(name, []).append((self.step, value))


def _parse(text: str) -> float | None:
    """Return a finite number, or None for other texts."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
