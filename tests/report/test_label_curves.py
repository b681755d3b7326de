"""The chart of accuracies by the number of labels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sslreg.report.label_curves import label_curves


def make_run(**metrics: dict[str, float]) -> Any:
    return SimpleNamespace(label="run", number=0, metrics=metrics)


def curve(*values: float) -> dict[str, float]:
    names = ("labels_1", "labels_8", "labels_all")
    return dict(zip(names, values, strict=True)) | {f"{name}_ci": 0.05 for name in names}


def test_subjects_are_drawn_on_a_logarithmic_axis_with_bands() -> None:
    ((label, chart),) = label_curves([make_run(untrained=curve(0.2, 0.3, 0.4), trained=curve(0.4, 0.7, 0.9))])
    assert (label, chart.title) == ("run", "labels")
    assert [(line.label, line.style) for line in chart.lines] == [("trained", "run-0"), ("untrained", "run-2 dashed")]
    assert chart.ticks == [(0.0, "1"), (0.75, "8"), (1.0, "all")]
    assert [point.split()[0] for point in chart.lines[0].path.removeprefix("M").split("L")] == ["0", "750", "1000"]
    assert chart.lines[0].band.startswith("M0 ")
    assert chart.lines[0].band.endswith("Z")
    assert chart.lines[0].band.count("L") == 5
    assert "labels per class 1 to labels per class all" in chart.description
    assert (chart.low, chart.high) == ("0.15", "0.95")


def test_metrics_without_all_labels_are_no_curve() -> None:
    assert label_curves([make_run(trained={"few_shot_1": 0.5, "few_shot_5": 0.7})]) == []
