"""Results in terminals of 60 and 80 columns, also without UTF-8."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sslreg_tune.effects import Effect, Interval
from sslreg_tune.results import Combination, collect_results
from sslreg_tune.tables import format_results


@pytest.mark.parametrize("width", [60, 80])
def test_rows_fit_the_terminal_and_nothing_is_cut(studies: Any, tmp_path: Path, width: int) -> None:
    results = studies.make_results(tmp_path, final=studies.make_final())
    long = "model.backbone.a_parameter_with_a_very_long_name"
    effects = [
        *results.effects,
        Effect(long, long, "other", "1 → 2", False, Interval.around(-0.04, 0.02), importance=0.1),
    ]
    lines = list(format_results(replace(results, effects=effects), width))
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert lines[0] == "few_shot_1: 0.71 ± .02 → 0.78 ± .02"
    assert lines[1] == "20 trials: 17 finished, 1 pruned, 1 failed, 1 running"
    assert long in text
    assert "−.04 ± .02  harms" in text
    assert [line for line in lines if line in ("shape", "texture", "color", "other")] == [
        *("shape", "texture", "color", "other")
    ]
    (flip,) = [line.split() for line in lines if line.startswith("  flip ")]
    assert flip[2:5:2] == ["±", "harms"]
    assert "shape       0.50 ± .03  0.25 ± .03" in lines


def test_what_a_terminal_cannot_show_is_replaced(studies: Any, tmp_path: Path) -> None:
    lines = list(format_results(studies.make_results(tmp_path, final=studies.make_final()), 80, "ascii"))
    assert lines[0] == "few_shot_1: 0.71 +- .02 -> 0.78 +- .02"
    assert "\n".join(lines).isascii()


def test_effects_that_are_not_known_have_a_reason(studies: Any, tmp_path: Path) -> None:
    trials = studies.make_trials(4)
    values = {"optimizer.lr": 0.1, "width": 8}
    trials = [replace(trial, values={**trial.values, **values}) for trial in trials]
    lines = list(format_results(collect_results(tmp_path, studies.make_config(), trials), 80))
    assert "Effects are not known: needs 8 different judged trials." in lines
    trials = [replace(trial, values={**trial.values, **values, "flip": "off"}) for trial in studies.make_trials(12)]
    lines = list(format_results(collect_results(tmp_path, studies.make_config(), trials), 80))
    number = next(number for number, line in enumerate(lines) if line.startswith("  flip "))
    assert lines[number].split() == ["flip", "–"]
    assert lines[number + 1] == "    off in every trial"


def test_combinations_are_listed_with_their_seeds(studies: Any, tmp_path: Path) -> None:
    combinations = [
        Combination("no horizontal_flip", Interval.around(0.8, 0.02), (0, 1, 2), (0, 1, 2)),
        Combination("width 16", None, (3,), ()),
    ]
    results = replace(studies.make_results(tmp_path), effects=[], combinations=combinations)
    assert list(format_results(results, 60))[-2:] == [
        "no horizontal_flip  0.80 ± .02  3",
        "width 16                        0",
    ]


def test_names_cannot_write_to_the_terminal(studies: Any, tmp_path: Path) -> None:
    results = replace(studies.make_results(tmp_path), figure="\x1b[31mred")
    assert "\x1b" not in "\n".join(format_results(results, 80))
