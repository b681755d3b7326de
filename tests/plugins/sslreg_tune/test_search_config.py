"""What a study searches, and the spec of each of its trials."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import sslreg
from sslreg_tune.figure import Figure
from sslreg_tune.search_config import require_same_search

KNN = ("data.test={use: digits, split: test}", "evaluate=[{use: few_shot}, {use: knn, as: few}, {use: knn}]")


def test_the_spec_of_a_trial_has_its_values_and_its_seed(search) -> None:
    spec = search("trainer.devices=2").build_spec({"loss.temperature": 0.25}, 5)
    assert spec.seed == 5
    assert spec.to_dict()["loss"]["temperature"] == 0.25
    assert spec.trainer["devices"] == 1


def test_trials_are_judged_on_a_part_of_the_reference_set(search) -> None:
    spec = search(*KNN, figure=Figure("knn_top1"), validation=0.3).build_spec({"loss.temperature": 0.25}, 5)
    assert spec.data.validation == 0.3


@pytest.mark.parametrize(("figure", "owner"), [("few_shot_5", 0), ("few_top1", 1), ("knn_top1", 2)])
def test_the_evaluator_of_the_figure_runs_during_a_trial(search, figure: str, owner: int) -> None:
    config = search(*KNN, "trainer.max_epochs=20", figure=Figure(figure))
    spec = config.build_spec({"loss.temperature": 0.25}, 0)
    assert [component.keys["every"] for component in spec.evaluate] == [5 if at == owner else None for at in range(3)]


@pytest.mark.parametrize("fields", [{"prunes": False}, {"figure": Figure("few_shot_5", every=2)}])
def test_no_evaluator_is_changed_without_need(search, fields) -> None:
    config = search(*KNN, **{"figure": Figure("few_shot_5")} | fields)
    spec = config.build_spec({"loss.temperature": 0.25}, 0)
    assert [component.keys["every"] for component in spec.evaluate] == [None] * 3


def test_a_file_that_changes_during_a_study_is_refused(search) -> None:
    config = pickle.loads(pickle.dumps(search()))  # as a worker gets it
    assert config.digest
    path = Path(config.source)
    path.write_text(path.read_text().replace("lr: 0.1", "lr: 0.2"))
    with pytest.raises(sslreg.UserError, match=r"tiny.yaml has changed"):
        config.build_spec({"loss.temperature": 0.25}, 0)


@pytest.mark.parametrize(
    ("overrides", "fields", "message"),
    [
        (("optimizer.lr=0.2",), {}, "--set: .*trainer.max_epochs=2, now .*optimizer.lr=0.2"),
        ((), {"over": ("loss.temperature=0.1..1",)}, "--over and --views"),
        ((), {"figure": Figure("alignment", lowest=True)}, "--by: loss lowest, now alignment lowest"),
        ((), {"seed": 3}, "--seed: 0, now 3"),
        ((), {"validation": 0.2}, "--validation: None, now 0.2"),
        ((), {"prunes": False}, "--no-prune: False, now True"),
        ((), {"trials": ()}, "--grid and --seeds: False, now True"),
    ],
)
def test_a_repeat_with_something_else_is_refused(search, overrides, fields, message: str) -> None:
    before = search().describe()
    require_same_search(before, search().describe(), "the study")
    with pytest.raises(sslreg.UserError, match=f"the study was started with another value of {message}") as caught:
        require_same_search(before, search(*overrides, **fields).describe(), "the study")
    assert "--out" in str(caught.value.diagnostics[0].hint)


def test_another_spec_is_refused(search, tiny_spec: str) -> None:
    config, before = search(), search().describe()
    Path(config.source).write_text(tiny_spec.replace("lr: 0.1", "lr: 0.2"))
    now = {**before, "spec": type(config)(config.source, config.overrides, config.figure, config.space).digest}
    with pytest.raises(sslreg.UserError, match="another spec"):
        require_same_search(before, now, "the study")
