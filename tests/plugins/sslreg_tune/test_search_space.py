"""The search space: values, and the specs with them."""

from __future__ import annotations

import json
from collections import Counter

import optuna
import pytest

import sslreg
from sslreg_tune.parameters import Choice, Operation, Range
from sslreg_tune.search_space import MIN_STRENGTH, SearchSpace, build_search_space

SPEC = sslreg.load_spec("digits-simclr")
OVER = [
    "loss.temperature=0.05..1:log",
    "model.backbone.width=16,32",
    "trainer.max_epochs=5..50",
    "model.projection=[256, 128],[64]",
]
#: Operations that no spec is needed for.
OPERATIONS = SearchSpace(
    (
        Operation("flip", frozenset({"shape"}), ("off", "as written"), "as written"),
        Operation("elastic", frozenset({"shape"}), ("off", "as written", "scaled"), "as written"),
        Operation("noise", frozenset({"texture"}), ("off", "scaled"), "off"),
    ),
    {"flip": "as written", "elastic": "as written", "noise": "off"},
)


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return build_search_space(SPEC, OVER)


def test_the_starting_values_are_those_of_the_spec_and_its_defaults(space: SearchSpace) -> None:
    assert space.starting == {
        "loss.temperature": 0.5,
        "model.backbone.width": 16,
        "trainer.max_epochs": 40,
        "model.projection": [256, 128],
    }
    assert build_search_space(SPEC, ["loss.temperature=0.6..1"]).starting is None
    assert build_search_space(SPEC, ["model.backbone.width=8,32"]).starting is None


def test_designed_values_are_balanced_and_valid(space: SearchSpace) -> None:
    trials = space.design(8, seed=0)
    assert Counter(trial["model.backbone.width"] for trial in trials) == {16: 4, 32: 4}
    assert sum(trial["loss.temperature"] < (0.05 * 1) ** 0.5 for trial in trials) == 4
    assert all(isinstance(trial["trainer.max_epochs"], int) for trial in trials)
    for trial in trials[:3]:
        spec = sslreg.load_spec("digits-simclr", space.overrides(trial))
        assert spec.loss.params["temperature"] == trial["loss.temperature"]
        assert spec.trainer["max_epochs"] == trial["trainer.max_epochs"]


def test_designed_operations_are_on_in_half_of_the_trials() -> None:
    trials = OPERATIONS.design(16, seed=0)
    for operation in OPERATIONS.parameters:
        levels = Counter(trial[operation.name] for trial in trials)
        assert levels["off"] == 8
        assert len(set(levels.values()) - {8}) <= 1
    strengths = sorted(trial["noise.strength"] for trial in trials if trial["noise"] == "scaled")
    # One in each of eight intervals of the logarithm.
    bounds = [MIN_STRENGTH ** (1 - number / 8) for number in range(9)]
    assert all(
        low - 0.005 <= one <= high + 0.005 for one, low, high in zip(strengths, bounds, bounds[1:], strict=False)
    )
    assert all(("elastic.strength" in trial) == (trial["elastic"] == "scaled") for trial in trials)


@pytest.mark.parametrize("seed", [0, 1])
def test_optuna_takes_designed_values_and_returns_them(space: SearchSpace, seed: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for each in (space, OPERATIONS):
        study = optuna.create_study()
        for trial in each.design(3, seed):
            study.enqueue_trial(each.to_params(trial))
            assert each.suggest(study.ask()) == trial
        suggested = each.suggest(study.ask())
        assert json.loads(json.dumps(suggested)) == suggested


def test_a_grid_has_every_combination() -> None:
    space = build_search_space(SPEC, ["model.backbone.width=16,32", "loss.temperature=0.1,0.2,0.5"])
    grid = space.grid()
    assert len(grid) == 6
    assert {"model.backbone.width": 32, "loss.temperature": 0.1} in grid
    assert {"flip": "off", "elastic": "as written", "noise": "scaled", "noise.strength": 0.25} in OPERATIONS.grid()
    assert len(OPERATIONS.grid()) == 8


def test_a_grid_needs_values_and_is_finite() -> None:
    with pytest.raises(sslreg.UserError, match=r"loss\.temperature is a range.*\n.*name the values"):
        SearchSpace((Range("loss.temperature", 0.1, 1.0),), None).grid()
    choices = tuple(Choice(f"a{number}", (1, 2)) for number in range(10))
    with pytest.raises(sslreg.UserError, match="1,024 combinations"):
        SearchSpace(choices, None).grid()


def test_descriptions_name_what_differs_from_the_starting_spec(space: SearchSpace) -> None:
    assert space.starting is not None
    assert space.describe(space.starting) == "the starting spec"
    assert space.describe({**space.starting, "loss.temperature": 0.2}) == "temperature .2"
    changed = {**space.starting, "model.projection": [64], "model.backbone.width": 32}
    assert space.describe(changed) == "width 32, projection [64]"
    values = {"flip": "off", "elastic": "scaled", "elastic.strength": 0.4, "noise": "scaled", "noise.strength": 1.0}
    assert OPERATIONS.describe(values) == "no flip, elastic .40, noise 1.00"


def test_short_names_stay_distinct() -> None:
    space = build_search_space(SPEC, ["loss.use=vicreg,barlow_twins", "optimizer.use=sgd,adamw", "optimizer.lr=0.1,1"])
    values = {"loss.use": "vicreg", "optimizer.use": "sgd", "optimizer.lr": 0.1}
    assert space.describe(values) == "loss vicreg, optimizer sgd, lr .1"


def test_equal_spaces_are_equal_data(space: SearchSpace) -> None:
    data = space.to_dict()
    assert json.loads(json.dumps(data)) == data == build_search_space(SPEC, OVER).to_dict()
    assert OPERATIONS.to_dict() != data


def test_real_numbers_have_three_digits() -> None:
    space = build_search_space(SPEC, ["optimizer.lr=1e-4..1e-1:log", "engine.ema=0.9..0.999"])
    for trial in space.design(5, seed=0):
        assert float(f"{trial['optimizer.lr']:.3g}") == trial["optimizer.lr"]
        assert round(trial["engine.ema"], 4) == trial["engine.ema"]
