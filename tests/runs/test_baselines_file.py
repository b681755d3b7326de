"""baselines.json and the user's cache of baselines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sslreg.runs import baselines_file
from sslreg.runs.baselines_file import BaselineRecords, BaselinesFile, SharedBaselines


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SharedBaselines:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SSLREG_BASELINE_CACHE")
    return SharedBaselines()


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache/sslreg/baselines").iterdir())


def test_a_damaged_file_has_no_baselines_and_is_replaced(tmp_path: Path) -> None:
    file = BaselinesFile(tmp_path / "baselines.json")
    for content in ("{", "[]", "{}", '{"weights": [], "metrics": 3}'):
        file.path.write_text(content)
        assert file.read() == BaselineRecords()
    file.path.write_text('{"weights": {"starting": "x"}, "metrics": {"a": {"knn_top1": 0.5}, "b": 3}}')
    assert file.read() == BaselineRecords({}, {"a": {"knn_top1": 0.5}})
    records = BaselineRecords({"starting": 3}, {"a": {"knn_top1": 0.25}})
    file.write(records)
    assert file.read() == records


def test_runs_share_baselines_by_digest(shared: SharedBaselines) -> None:
    assert shared.find("a") is None
    shared.add({"a": {"knn_top1": 0.5}})
    assert SharedBaselines().find("a") == {"knn_top1": 0.5}
    assert shared.find("b") is None


def test_the_cache_can_be_switched_off(
    shared: SharedBaselines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shared.add({"a": {"knn_top1": 0.5}})
    monkeypatch.setenv("SSLREG_BASELINE_CACHE", "off")
    shared.add({"b": {"knn_top1": 0.5}})
    assert shared.find("a") is None
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"knn_top1": "high"}', "{}", "\x00"])
def test_a_damaged_file_of_the_cache_counts_as_missing(shared: SharedBaselines, tmp_path: Path, content: str) -> None:
    shared.add({"a": {"knn_top1": 0.5}})
    (file,) = files(tmp_path)
    file.write_text(content)
    assert shared.find("a") is None
    shared.add({"a": {"knn_top1": 0.5}})
    assert shared.find("a") == {"knn_top1": 0.5}


def test_a_cache_that_cannot_be_written_is_ignored(shared: SharedBaselines, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    shared.add({"a": {"knn_top1": 0.5}})
    assert shared.find("a") is None


def test_the_cache_keeps_the_files_that_were_used_last(
    shared: SharedBaselines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines_file, "MAX_CACHED", 10)
    for number in range(10):
        shared.add({str(number): {"knn_top1": 0.5}})
        newest = max(files(tmp_path), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (number, number))
    assert shared.find("0") is not None  # used now
    shared.add({"10": {"knn_top1": 0.5}})
    assert len(files(tmp_path)) == 9
    assert [shared.find(str(number)) is not None for number in range(11)] == [True, False, False, *[True] * 8]
