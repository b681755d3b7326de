"""The final comparison: fresh seeds, unseen images, paired differences, and runs that resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import sslreg
from sslreg_tune import final
from sslreg_tune.effects import Interval
from sslreg_tune.figure import Figure
from sslreg_tune.final import FinalComparison, build_final_spec, read_final_comparison, train_finalists
from sslreg_tune.parameters import Choice
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.search_space import SearchSpace
from sslreg_tune.trial_record import TrialRecord

SMALL = (
    "trainer.max_steps=1",
    "data.batch_size=16",
    "data.train.subset=32",
    "data.test.subset=32",
    "evaluate=[{use: few_shot, shots: [1], draws: 2}]",
)


def make_config(
    folder: Path, spec: str, overrides: tuple[str, ...] = SMALL, figure: str = "few_shot_1"
) -> SearchConfig:
    (folder / "mine.yaml").write_text(spec)
    space = SearchSpace((Choice("optimizer.lr", (0.1, 0.5)),), {"optimizer.lr": 0.1}, {"optimizer.lr": 0.1})
    return SearchConfig(str(folder / "mine.yaml"), overrides, Figure(figure), space, validation=0.3)


def make_winner(lr: float = 0.5, number: int = 3) -> TrialRecord:
    return TrialRecord(number, "finished", {"optimizer.lr": lr}, 0.9, {}, Path("trials/0003"))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory, tiny_spec: str) -> tuple[Path, SearchConfig]:
    folder = tmp_path_factory.mktemp("study")
    config = make_config(folder, tiny_spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(final, "INVARIANCE", "not installed")  # the profile takes most of the time
        train_finalists(folder, config, make_winner(), seeds=1)
    return folder, config


def test_both_are_trained_with_fresh_seeds_and_judged_on_the_test_set(compared: tuple[Path, SearchConfig]) -> None:
    folder, config = compared
    start, best = (sslreg.load_run(folder / "final" / name) for name in ("start-1", "trial-0003-1"))
    assert start.spec.seed == best.spec.seed == config.spec.seed + 1
    assert start.spec.data.validation is best.spec.data.validation is None
    before, after = start.spec.to_dict(), best.spec.to_dict()
    assert (before["optimizer"].pop("lr"), after["optimizer"].pop("lr")) == (0.1, 0.5)
    assert before == after
    comparison = read_final_comparison(folder, config, make_winner())
    assert comparison is not None
    assert comparison.seeds == (start.spec.seed,)
    assert comparison.is_unseen
    assert comparison.start.value == start.summary["final"]["few_shot_1"]
    assert comparison.difference.value == pytest.approx(comparison.best.value - comparison.start.value)
    assert comparison.profiles == {}


def test_profiles_are_read(compared: tuple[Path, SearchConfig]) -> None:
    folder, config = compared
    for number, name in enumerate(("start-1", "trial-0003-1")):
        path = folder / "final" / name / "summary.json"
        summary = json.loads(path.read_text())
        summary["final"] |= {"invariance_shape": 0.5 + number, "invariance_shape_ci": 0.25}
        path.write_text(json.dumps(summary))
    comparison = read_final_comparison(folder, config, make_winner())
    assert comparison is not None
    assert comparison.profiles == {"start": {"shape": 0.5, "shape_ci": 0.25}, "best": {"shape": 1.5, "shape_ci": 0.25}}


def test_finished_runs_are_not_trained_again_and_an_interrupted_one_is(
    compared: tuple[Path, SearchConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, config = compared
    runs = [folder / "final" / name for name in ("start-1", "trial-0003-1")]
    before = [(run / "summary.json").stat().st_mtime_ns for run in runs]
    (runs[1] / "checkpoints" / "last.ckpt").unlink()
    summary = runs[1] / "summary.json"
    summary.write_text(summary.read_text().replace('"finished"', '"interrupted"'))
    assert read_final_comparison(folder, config, make_winner()) is None
    monkeypatch.setattr(final, "INVARIANCE", "not installed")
    train_finalists(folder, config, make_winner(), seeds=1)
    after = [(run / "summary.json").stat().st_mtime_ns for run in runs]
    assert after[0] == before[0]
    assert after[1] > before[1]
    assert read_final_comparison(folder, config, make_winner()) is not None


def test_another_winner_is_compared_anew_and_earlier_ones_are_counted(compared: tuple[Path, SearchConfig]) -> None:
    folder, config = compared
    assert read_final_comparison(folder, config, make_winner(number=7)) is None
    (folder / "final" / "trial-0001-1").mkdir()
    comparison = read_final_comparison(folder, config, make_winner())
    assert comparison is not None
    assert comparison.earlier == 1
    assert "1 earlier winner" in comparison.notes[0]


def test_a_starting_spec_that_won_is_not_trained_again(tmp_path: Path, tiny_spec: str) -> None:
    config = make_config(tmp_path, tiny_spec)
    train_finalists(tmp_path, config, make_winner(lr=0.1))
    assert not (tmp_path / "final").exists()
    assert read_final_comparison(tmp_path, config, make_winner(lr=0.1)) is None


def test_the_evaluator_of_invariances_is_added(tmp_path: Path, tiny_spec: str) -> None:
    config = make_config(tmp_path, tiny_spec, ())
    spec = build_final_spec(config, {"optimizer.lr": 0.5}, 7)
    assert [component.info.name for component in spec.evaluate] == ["few_shot", "knn", "invariance"]
    assert spec.seed == 7
    own = make_config(tmp_path, tiny_spec, ("evaluate=[{use: few_shot}, {use: invariance, samples: 4, as: profile}]",))
    assert [component.info.name for component in build_final_spec(own, None, 7).evaluate] == ["few_shot", "invariance"]


def test_without_a_test_set_the_images_of_the_trials_judge(tmp_path: Path, tiny_spec: str) -> None:
    config = make_config(tmp_path, tiny_spec, ("data.test=null", "data.validation=0.3"))
    assert build_final_spec(config, None, 7).data.validation == 0.3


def make_comparison(difference: float, half: float, **options: Any) -> FinalComparison:
    levels = Interval.around(0.71, 0.02), Interval.around(0.71 + difference, 0.014)
    options = {"lowest": False, "is_unseen": True, "earlier": 0, "profiles": {}} | options
    return FinalComparison(
        "few_shot_1",
        options.pop("lowest"),
        options.pop("is_unseen"),
        (1, 2, 3),
        *levels,
        Interval.around(difference, half),
        **options,
    )


@pytest.mark.parametrize(
    ("difference", "half", "lowest", "sentence"),
    [
        (0.07, 0.03, False, "few_shot_1: 0.71 ± .02 → 0.78 ± .01"),
        (0.01, 0.03, False, "few_shot_1: no better than before (0.71 ± .02 → 0.72 ± .01)"),
        (-0.07, 0.03, False, "few_shot_1: worse than before (0.71 ± .02 → 0.64 ± .01)"),
        (-0.07, 0.03, True, "few_shot_1: 0.71 ± .02 → 0.64 ± .01"),
    ],
)
def test_the_sentence_says_whether_it_is_better(difference: float, half: float, lowest: bool, sentence: str) -> None:
    comparison = make_comparison(difference, half, lowest=lowest)
    assert comparison.sentence == sentence
    assert comparison.notes == []


def test_images_that_chose_the_winner_are_said_to_flatter_it() -> None:
    assert "flatters" in make_comparison(0.07, 0.03, is_unseen=False).notes[0]
