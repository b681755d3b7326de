"""The figures of the digits are means over the seeds, next to those of the baselines."""

from __future__ import annotations

import pytest

from benchmarks import digits


def make_run(seconds: float, raw: float, untrained: float, trained: float) -> dict[str, object]:
    baseline = {"raw_pixels": {"knn_top1": raw, "knn_top1_ci": 0.1}, "untrained": {"knn_top1": untrained}}
    return {"seconds": seconds, "summary": {"baseline": baseline, "final": {"knn_top1": trained, "loss": 1.0}}}


def test_a_row_has_the_mean_and_the_range_of_each_metric() -> None:
    row = digits.summarize([make_run(3.0, 0.5, 0.4, 0.8), make_run(9.0, 0.5, 0.6, 0.9), make_run(4.0, 0.5, 0.5, 0.7)])
    assert row == {
        "seconds": 4.0,
        "knn_top1": {
            "raw pixels": {"mean": 0.5, "low": 0.5, "high": 0.5},
            "untrained": {"mean": 0.5, "low": 0.4, "high": 0.6},
            "trained": {"mean": 0.8, "low": 0.7, "high": 0.9},
        },
    }


def test_a_finished_run_is_not_repeated(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "simclr-1.json").write_text('{"seconds": 1.0, "summary": {}}', encoding="utf-8")
    monkeypatch.setattr(digits.subprocess, "run", None)
    assert digits.train("simclr", 1, tmp_path) == {"seconds": 1.0, "summary": {}}
