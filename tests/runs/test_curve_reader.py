from __future__ import annotations

from pathlib import Path

import pytest

from sslreg.runs.curve_reader import CurveReader
from sslreg.runs.metrics_file import MetricsFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.csv"


def append(path: Path, text: str) -> None:
    with path.open("a", newline="") as file:
        file.write(text)


def test_a_curve_grows_with_its_file_and_an_incomplete_line_waits(path: Path) -> None:
    reader = CurveReader(path)
    assert not reader.update()
    append(path, "step,epoch,loss\n1,0,5.5\n2,0,5.")
    assert reader.update()
    assert reader.curves == {"loss": [(1, 5.5)]}
    assert not reader.update()
    append(path, "25\n3,0,nan\n4,0,5\n")
    assert reader.update()
    assert reader.curves == {"loss": [(1, 5.5), (2, 5.25), (4, 5.0)]}
    assert (reader.step, reader.epoch) == (4, 0)


def test_an_update_reads_only_what_is_new(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(path, "step,epoch,loss\n" + "1,0,5.5\n" * 1000)
    reader = CurveReader(path)
    reader.update()
    lines = []
    monkeypatch.setattr(CurveReader, "_append", lambda self, new: lines.extend(new))
    append(path, "2,0,5\n")
    reader.update()
    assert lines == [b"2,0,5\n"]


def test_a_new_metric_and_a_run_that_resumes_are_read_from_the_start(path: Path) -> None:
    file, reader = MetricsFile(path), CurveReader(path)
    file.append([{"step": step, "epoch": 0, "loss": 5.0 - step} for step in range(1, 5)])
    reader.update()
    file.append([{"step": 4, "epoch": 0, "knn_top1": 0.5}])
    assert reader.update()
    assert reader.curves == {"loss": [(1, 4), (2, 3), (3, 2), (4, 1)], "knn_top1": [(4, 0.5)]}
    file.truncate(2)
    file.append([{"step": step, "epoch": 0, "loss": 9.0} for step in range(3, 9)])
    assert reader.update()
    assert reader.curves == {"loss": [(1, 4), (2, 3), *((step, 9) for step in range(3, 9))]}


def test_a_file_that_is_rewritten_in_place_is_read_from_its_start(path: Path) -> None:
    append(path, "step,epoch,loss\n1,0,5.5\n2,0,5.5\n")
    reader = CurveReader(path)
    reader.update()
    path.write_text("step,epoch,loss\n1,0,1.5\n")
    assert reader.update()
    assert reader.curves == {"loss": [(1, 1.5)]}


def test_damaged_cells_are_left_out(path: Path) -> None:
    path.write_bytes(b"step,epoch,loss\n1,0,5.5\nx,0,5\n\n2,0\n3,0,\xff\n4,0,5,6,7\n")
    reader = CurveReader(path)
    reader.update()
    assert reader.curves == {"loss": [(1, 5.5), (4, 5.0)]}
