"""The figures of the digits are means over the seeds, next to those of the baselines."""

from __future__ import annotations

import pytest

from benchmarks import digits


def make_summary(raw: float, untrained: float, trained: float) -> dict[str, object]:
    baseline = {"raw_pixels": {"knn_top1": raw, "knn_top1_ci": 0.1}, "untrained": {"knn_top1": untrained}}
    return {"baseline": baseline, "final": {"knn_top1": trained, "loss": 1.0}}


def test_a_row_has_the_means_and_the_range_over_the_seeds() -> None:
    seeds = [make_summary(0.5, 0.4, 0.8), make_summary(0.5, 0.6, 0.9), make_summary(0.5, 0.5, 0.7)]
    assert digits.summarize({"simclr": seeds}) == {
        "knn_top1": {
            "simclr": {"raw pixels": 0.5, "untrained": 0.5, "trained": 0.8, "lowest": 0.7, "highest": 0.9},
        }
    }


def test_a_finished_run_is_not_repeated(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "simclr-1.json").write_text('{"seconds": 1.0, "summary": {}}', encoding="utf-8")
    monkeypatch.setattr(digits.subprocess, "run", None)
    assert digits.train("simclr", 1, tmp_path) == {"seconds": 1.0, "summary": {}}
