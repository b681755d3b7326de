"""metrics.csv as other programs read it."""

from __future__ import annotations

import csv
from pathlib import Path

from sslreg.runs.metrics_file import MetricsFile


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


def test_a_torn_last_line_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    MetricsFile(path).append([{"step": 1, "epoch": 0, "loss": 4.5}, {"step": 12, "epoch": 0, "loss": 4.25}])
    path.write_text(path.read_text()[:-8])
    metrics = MetricsFile(path)
    metrics.append([{"step": 12, "epoch": 0, "loss": 4.25}])
    metrics.truncate(2)
    assert [row["step"] for row in rows(path)] == ["1", "12"]


def test_rows_after_a_number_can_be_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    metrics = MetricsFile(path)
    metrics.append([{"step": step, "epoch": 0, "loss": 1.0} for step in range(1, 6)])
    metrics.truncate(3)
    metrics.append([{"step": 4, "epoch": 0, "loss": 2.0}])
    assert [(row["step"], row["loss"]) for row in rows(path)] == [("1", "1"), ("2", "1"), ("3", "1"), ("4", "2")]
    assert len(metrics) == 4
