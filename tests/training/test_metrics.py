"""metrics.csv as other programs read it."""

from __future__ import annotations

import csv
from pathlib import Path

from sslreg.training.metrics import MetricsFile


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_there_as_soon_as_they_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    metrics = MetricsFile(path)
    metrics.append([{"step": 1, "epoch": 0, "loss": 4.5}])
    metrics.append([{"step": 2, "epoch": 0, "loss": 4.25}, {"step": 3, "epoch": 1, "loss": 4.0}])
    assert [(row["step"], row["epoch"], float(row["loss"])) for row in rows(path)] == [
        ("1", "0", 4.5),
        ("2", "0", 4.25),
        ("3", "1", 4.0),
    ]


def test_a_new_figure_becomes_a_column_and_earlier_rows_leave_it_empty(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    metrics = MetricsFile(path)
    metrics.append([{"step": 1, "epoch": 0, "loss": 4.5}])
    metrics.append([{"step": 1, "epoch": 0, "knn_top1": 0.5}])
    metrics.append([{"step": 2, "epoch": 0, "loss": 4.0}])
    assert [(row["loss"], row["knn_top1"]) for row in rows(path)] == [("4.5", ""), ("", "0.5"), ("4", "")]


def test_a_file_that_is_there_is_continued(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    MetricsFile(path).append([{"step": 1, "epoch": 0, "loss": 4.5}])
    MetricsFile(path).append([{"step": 2, "epoch": 0, "loss": 4.0, "lr": 0.1}])
    assert [(row["step"], row["lr"]) for row in rows(path)] == [("1", ""), ("2", "0.1")]
