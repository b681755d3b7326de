"""The results of studies: complete, running, interrupted, and without a search."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sslreg_tune.results import collect_results, write_results


def test_results_of_a_running_study(studies: Any, tmp_path: Path) -> None:
    results = studies.make_results(tmp_path)
    assert results.counts == {"finished": 17, "pruned": 1, "failed": 1, "running": 1}
    assert len(results.effects) == 8
    assert results.best is not None
    assert results.best.figure == max(trial.figure for trial in results.trials if trial.state == "finished")
    assert results.sentence == f"best so far: trial {results.best.number} with few_shot_1 {results.best.figure:.3f}"
    assert "luckiest" in results.notes[0]
    failed = results.trials[16]
    assert (failed.state, failed.figure, failed.reason) == ("failed", None, "the loss is not finite")
    assert failed.path == "trials/0016"
    assert "elastic ." in failed.change
    assert results.trials[15].figure is not None  # what the pruned one would have reached


def test_everything_is_written_as_json(studies: Any, tmp_path: Path) -> None:
    results = studies.make_results(tmp_path, final=studies.make_final())
    content = json.loads(write_results(tmp_path, results).read_text())
    assert content["sentence"] == "few_shot_1: 0.71 ± .02 → 0.78 ± .02"
    assert content["final"]["is_better"] is True
    assert content["final"]["profiles"]["best"]["shape"] == 0.25
    assert {effect["name"]: effect["verdict"] for effect in content["effects"]}["flip"] == "harms"
    assert content["effects"][0].keys() >= {"estimate", "group", "importance", "strength", "change"}
    assert content["best_values"]["elastic"] == "scaled"


def test_a_study_without_a_finished_trial(studies: Any, tmp_path: Path) -> None:
    results = collect_results(tmp_path, studies.make_config(), [])
    assert (results.sentence, results.notes, results.counts, results.best) == ("no trial has finished", [], {}, None)


def test_a_starting_spec_that_nothing_beats(studies: Any, tmp_path: Path) -> None:
    config = studies.make_config()
    trials = studies.make_trials(3)
    values = {**trials[1].values, "optimizer.lr": 0.2, "width": 8}
    records = [
        replace(trials[0], values=config.space.starting, figure=0.9),
        replace(trials[1], values=values, figure=0.9),
        replace(trials[2], values=values, state="failed", figure=None),
    ]
    results = collect_results(tmp_path, config, records)
    assert results.is_start_best
    assert results.sentence == "no trial is better than the starting spec (few_shot_1 0.900)"
    records[1] = replace(records[1], figure=0.95)
    results = collect_results(tmp_path, config, records)
    assert results.sentence == "best so far: trial 1 with few_shot_1 0.950, the starting spec 0.900"


def test_several_seeds_are_averaged_instead_of_effects(studies: Any, tmp_path: Path) -> None:
    starting = studies.make_config().space.starting
    listed = [(starting | {"width": width}, seed) for width in (8, 16) for seed in range(3)]
    config = studies.make_config(trials=tuple(listed))
    figures = [0.5, 0.6, 0.7, 0.8, None, None]
    records = [
        replace(
            studies.make_record(number, figure, "failed" if figure is None else "finished", **values),
            seed=seed,
            path=tmp_path / "trials" / str(number),
        )
        for number, ((values, seed), figure) in enumerate(zip(listed, figures, strict=True))
    ]
    run = tmp_path / "trials" / "3"
    run.mkdir(parents=True)
    (run / "spec.resolved.yaml").touch()
    (run / "summary.json").write_text('{"final": {"few_shot_1_ci": 0.04}}')
    results = collect_results(tmp_path, config, records)
    assert results.effects == []
    first, second = results.combinations
    assert (first.change, first.trials, first.seeds) == ("width 16", (3, 4, 5), (0,))
    assert first.figure is not None
    assert (first.figure.value, first.figure.half) == pytest.approx((0.8, 0.04))
    assert second.figure is not None
    assert (second.figure.value, second.figure.half) == pytest.approx((0.6, 4.3027 * 0.1 / 3**0.5), rel=1e-4)
    assert results.sentence == "best: width 16, few_shot_1 0.80 ± .04"
    assert results.notes == ["Not distinguishable from it: 1 of 1 other combinations."]
    records[0] = replace(records[0], figure=0.95)  # a lucky seed of the other combination
    results = collect_results(tmp_path, config, records)
    assert results.best is not None
    assert results.best.number == 3
    alone = replace(results, combinations=[second])
    assert alone.notes == []
    assert alone.sentence == "few_shot_1: 0.6 ± .2 over 3 seeds"


def test_effects_have_texts_for_the_best_spec(studies: Any, tmp_path: Path) -> None:
    results = studies.make_results(tmp_path)
    texts = results.effect_texts
    assert texts["flip"].startswith("of off → on −.")
    assert texts["optimizer.lr"].startswith("of 0.1 → 0.5 ")
    assert "width" in replace(results, best_values={"width": 16}).effect_texts
    assert "width" not in replace(results, best_values={"width": 8}).effect_texts
