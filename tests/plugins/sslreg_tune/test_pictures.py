"""Pictures of effects, combinations and trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from sslreg_tune.effects import Interval
from sslreg_tune.pictures import list_best, save_pictures
from sslreg_tune.results import Combination, collect_results


def test_effects_and_trials_are_drawn(studies: Any, tmp_path: Path) -> None:
    results = studies.make_results(tmp_path)
    effects = [replace(results.effects[0], name="a $name_ of & <b>"), *results.effects[1:]]
    files = save_pictures(tmp_path, replace(results, effects=effects))
    assert [path.name for path in files] == ["effects.png", "effects.svg", "trials.png", "trials.svg"]
    svg = (tmp_path / "effects.svg").read_text()
    for text in ("shape", "texture", "color", "other", "flip", "optimizer.lr", "a $name_ of &amp; &lt;b&gt;"):
        assert f">{text}</text>" in svg
    with Image.open(tmp_path / "effects.png") as image:
        assert image.width > 800
    assert save_pictures(tmp_path, replace(results, effects=effects))
    assert (tmp_path / "effects.svg").read_text() == svg


def test_combinations_are_drawn_instead_of_effects(studies: Any, tmp_path: Path) -> None:
    combinations = [Combination("x" * 99, Interval.around(0.8, 0.02), (0,), (0,)), Combination("other", None, (1,), ())]
    results = replace(studies.make_results(tmp_path), effects=[], combinations=combinations)
    assert [path.stem for path in save_pictures(tmp_path, results)][:2] == ["combinations", "combinations"]
    assert ">0.80 ± .02</text>" in (tmp_path / "combinations.svg").read_text()


def test_a_study_without_figures_has_no_pictures(studies: Any, tmp_path: Path) -> None:
    assert save_pictures(tmp_path, collect_results(tmp_path, studies.make_config(), [])) == []


def test_the_best_so_far_ignores_what_was_pruned(studies: Any, tmp_path: Path) -> None:
    trials = studies.make_results(tmp_path).trials[:3]
    figures = [("finished", 0.5), ("pruned", 0.9), ("finished", 0.4)]
    trials = [
        replace(trial, state=state, figure=figure) for trial, (state, figure) in zip(trials, figures, strict=True)
    ]
    assert list_best(trials, lowest=False) == [(0, 0.5), (2, 0.5)]
    assert list_best(trials, lowest=True) == [(0, 0.5), (2, 0.4)]
