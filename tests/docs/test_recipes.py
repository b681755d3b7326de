"""The pages of the recipes state the results of the benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs" / "recipes"


def read_results(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))


METRICS = [read_results("digits")[name] for name in ("few_shot_1", "few_shot_5")]
MNIST = [read_results("mnist")[name] for name in ("linear_top1", "knn_top1", "few_shot_1")]
CONTINUATION = read_results("continuation")
COMPARISON = read_results("methods")
DISTILLATION = read_results("distillation")


def format_figure(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


@pytest.mark.parametrize("method", METRICS[0])
def test_a_page_states_the_figures_of_the_digits(method: str) -> None:
    rows = [metric[method] for metric in METRICS]
    trained, raw = ([format_figure(row[name]) for row in rows] for name in ("trained", "raw pixels"))
    page = (RECIPES / f"{method}.md").read_text(encoding="utf-8")
    assert f"one label per class {trained[0]}, five labels {trained[1]} (means of three seeds" in page
    assert f"raw pixels {raw[0]} and {raw[1]}" in page


@pytest.mark.parametrize("method", MNIST[0])
def test_a_page_states_the_linear_accuracy_on_mnist(method: str) -> None:
    row = MNIST[0][method]
    trained, lowest, highest, raw, untrained = (
        format_figure(row[name]) for name in ("trained", "lowest", "highest", "raw pixels", "untrained")
    )
    page = " ".join((RECIPES / f"{method}.md").read_text(encoding="utf-8").split())
    assert f"linear {trained} ({lowest}–{highest}, three seeds; raw pixels {raw}, untrained {untrained})" in page


@pytest.mark.parametrize("method", MNIST[0])
def test_the_table_of_mnist_states_means_and_ranges(method: str) -> None:
    cells = [
        "{} ({}–{})".format(*(format_figure(metric[method][name]) for name in ("trained", "lowest", "highest")))
        for metric in MNIST
    ]
    untrained = format_figure(MNIST[0][method]["untrained"])
    page = (RECIPES / "index.md").read_text(encoding="utf-8")
    assert f"| `digits-{method}` | {untrained} | {' | '.join(cells)} |\n" in page


@pytest.mark.parametrize("method", METRICS[0])
def test_the_table_of_all_methods_states_means_and_ranges(method: str) -> None:
    cells = [
        "{} ({}–{})".format(*(format_figure(metric[method][name]) for name in ("trained", "lowest", "highest")))
        for metric in METRICS
    ]
    page = (RECIPES / "index.md").read_text(encoding="utf-8")
    assert f"| `digits-{method}` | {cells[0]} | {cells[1]} |\n" in page


def test_the_table_of_distillation_states_means_ranges_and_shares() -> None:
    page = (RECIPES / "distillation.md").read_text(encoding="utf-8")
    knn, one_label = (DISTILLATION[metric] for metric in ("knn_top1", "few_shot_1"))
    for name, shares in DISTILLATION["share of the teacher"].items():
        cells = [
            "{} ({}–{})".format(*(format_figure(metric[name][each]) for each in ("trained", "lowest", "highest")))
            for metric in (knn, one_label)
        ]
        assert f"| {name} | {cells[0]} | {format_figure(shares['knn_top1'])} | {cells[1]} |\n" in page
    teacher = [format_figure(metric["teacher"]["trained"]) for metric in (knn, one_label)]
    assert f"| teacher | {teacher[0]} | | {teacher[1]} |\n" in page


def test_the_comparison_with_lightly_is_current() -> None:
    page = (RECIPES / "index.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.partition("## Next to lightly")[2].splitlines()
        if line.startswith("| ")
    ][3:]
    expected = []
    for method, costs in COMPARISON["cost of a step"].items():
        knn, linear = (COMPARISON[metric][method] for metric in ("knn_top1", "linear_top1"))
        accuracies = [
            text
            for row in (knn, linear)
            for text in (f"{format_figure(row['sslreg'])}, {format_figure(row['lightly'])}", row["difference"])
        ]
        expected.append([*accuracies, f"{costs['ratio']:.2f}"])
    assert [row[1:] for row in rows] == expected
    assert {row["verdict"] for metric in ("knn_top1", "linear_top1") for row in COMPARISON[metric].values()} == {
        "equal"
    }


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("trained on the digits 0 to 4 alone, 20 epochs", "trained on 0 to 4"),
        ("from scratch, 3 epochs on all digits", "from scratch"),
        ("continued, 3 epochs on all digits", "continued"),
    ],
)
def test_the_page_on_weights_states_what_continuing_gains(label: str, name: str) -> None:
    rows = [CONTINUATION[metric][name] for metric in ("few_shot_1", "knn_top1", "linear_top1")]
    cells = ["{} ({}–{})".format(*map(format_figure, row.values())) for row in rows]
    page = (RECIPES.parent / "how-to" / "start-from-weights.md").read_text(encoding="utf-8")
    assert f"| {label} | {' | '.join(cells)} |\n" in page
    guard = [format_figure(CONTINUATION["guard"][name]["mean"]) for name in ("before training", "when stopped", "kept")]
    assert "falls from {} to {}".format(*guard) in page
    assert f"keeps have {guard[2]}" in page
