"""The values of each trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from sslreg_tune.figure import Figure
from sslreg_tune.parameters import Operation
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.search_space import SearchSpace
from sslreg_tune.trial_storage import TrialStorage, file_url
from sslreg_tune.trial_values import choose_design_size, choose_values, find_comparison, list_planned_trials


def run_trials(config: SearchConfig, folder: Path, count: int, design_size: int = 4) -> TrialStorage:
    """Return trials whose figure is their temperature."""
    storage = TrialStorage(file_url(folder / "study.db"), "mine", lowest=True)
    for number in range(storage.read_trials().__len__(), count):
        storage.create_trial("here")
        chosen = choose_values(config, storage.read_trials(), number, design_size)
        assert chosen is not None
        storage.assign(number, chosen)
        storage.finish(number, chosen.values["loss.temperature"])
    return storage


def test_the_starting_spec_and_the_design_come_before_the_search(search, tmp_path: Path) -> None:
    config = search()
    trials = run_trials(config, tmp_path, 7).read_trials()
    assert [trial.origin for trial in trials] == ["start", *["design"] * 4, "search", "search"]
    assert trials[0].values == {"loss.temperature": 0.5}
    assert [dict(trial.values or {}) for trial in trials[1:5]] == config.space.design(4, config.seed)
    assert {trial.seed for trial in trials} == {config.spec.seed}


def test_a_starting_spec_outside_of_the_space_is_no_trial(search) -> None:
    config = search(over=("loss.temperature=0.6..1",))
    assert [origin for _, _, origin in list_planned_trials(config, 3)] == ["design"] * 3


def test_the_search_is_the_same_in_any_number_of_sessions(search, tmp_path: Path) -> None:
    """Also if a trial was created, but not its values."""
    config = search()
    whole = run_trials(config, tmp_path, 10).read_trials()
    (tmp_path / "again").mkdir()
    for count in (1, 4, 6, 8, 9, 10):
        storage = run_trials(config, tmp_path / "again", count)
    assert [trial.values for trial in storage.read_trials()] == [trial.values for trial in whole]
    other = search(seed=1)
    (tmp_path / "other").mkdir()
    assert run_trials(other, tmp_path / "other", 6).read_trials()[5].values != whole[5].values


def test_the_search_finds_low_figures(search, tmp_path: Path) -> None:
    trials = run_trials(search(), tmp_path, 16).read_trials()
    assert min(trial.figure or 1.0 for trial in trials[5:]) < 0.06


def test_no_values_are_tried_twice_while_others_are_left(search, tmp_path: Path) -> None:
    config = search(over=("loss.temperature=0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8",))
    trials = run_trials(config, tmp_path, 10, design_size=3).read_trials()
    assert len({trial.values["loss.temperature"] for trial in trials[:8] if trial.values}) == 8


def test_a_list_has_its_values_and_seeds(search, tmp_path: Path) -> None:
    config = search(over=("loss.temperature=0.1,0.2",), trials=(({"loss.temperature": 0.2}, 3),))
    chosen = choose_values(config, [], 0, 0)
    assert chosen is not None
    assert (chosen.values, chosen.seed, chosen.origin) == ({"loss.temperature": 0.2}, 3, "list")
    assert choose_values(config, [], 1, 0) is None
    assert choose_design_size(config, 10) == 0


@pytest.mark.parametrize(("budget", "size"), [(15, 0), (16, 4), (None, 4)])
def test_most_trials_are_left_for_the_search(search, budget: int | None, size: int) -> None:
    assert choose_design_size(search(), budget) == size


def test_comparisons_switch_one_operation_of_the_best_trial(tmp_path: Path) -> None:
    operations = [
        Operation("flip", frozenset(["shape"]), ("off", "as written"), "as written"),
        Operation("elastic", frozenset(["shape"]), ("off", "scaled"), "off"),
    ]
    space = SearchSpace(tuple(operations), {"flip": "as written", "elastic": "off"})
    config = SearchConfig("digits-simclr", (), Figure("few_shot_1"), space)
    storage = TrialStorage(file_url(tmp_path / "study.db"), "mine", lowest=False)
    for number, figure in enumerate([0.5, 0.7, 0.6, 0.6, 0.6]):
        storage.create_trial("here")
        chosen = choose_values(config, storage.read_trials(), number, 0)
        assert chosen is not None
        storage.assign(number, chosen)
        storage.finish(number, figure)
    trials = storage.read_trials()
    assert [trial.origin for trial in trials] == ["start", "comparison", "comparison", "search", "search"]
    assert trials[1].values == {"flip": "off", "elastic": "off"}
    assert trials[2].values == {"flip": "off", "elastic": "scaled", "elastic.strength": 0.25}
    assert find_comparison(config, trials) is None  # all operations of the best trial were switched
