"""The effects of parameters: against a known truth, and for trials that cannot tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sslreg_tune import regression
from sslreg_tune.effects import Effect, estimate_effects, judge_trials
from sslreg_tune.parameters import Choice, Operation, Parameter, Range


def estimate(trials: list[Any], parameters: Sequence[Parameter], **options: Any) -> dict[str, Effect]:
    effects = estimate_effects(trials, parameters, **{"lowest": False, "starting": None} | options)
    return {effect.name: effect for effect in effects}


def coverage(studies: Any, count: int, **options: Any) -> tuple[float, float]:
    """Return how many intervals cover the true effect, and how many of zero effects exclude zero."""
    covered, false = [], []
    for seed in range(count):
        trials = studies.make_trials(24, seed, **options)
        for name, effect in estimate(trials, studies.operations).items():
            assert effect.estimate is not None
            covered.append(effect.estimate.low <= studies.effects[name] <= effect.estimate.high)
            if not studies.effects[name]:
                false.append(effect.estimate.excludes_zero)
    return float(np.mean(covered)), float(np.mean(false))


def test_intervals_cover_the_truth_in_adaptive_studies(studies: Any) -> None:
    covered, false = coverage(studies, 6)
    assert covered > 0.88
    assert false < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"interaction": 0.06}, {"collapse": 0.1}, {"adaptive": False}], ids=str)
def test_intervals_cover_the_truth(studies: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regression, "DRAWS", 1200)
    covered, false = coverage(studies, 25, **options)
    assert covered > 0.91
    assert false < 0.07


def test_effects_are_grouped_and_the_most_helpful_come_first(studies: Any) -> None:
    effects = estimate(studies.make_trials(24), studies.operations)
    assert list(effects) == ["elastic", "rotation", "flip", "noise", "jitter", "gray"]
    assert [effects[name].verdict for name in ("elastic", "rotation", "flip", "noise")] == [
        *("helps", "harms", "harms", "unclear")
    ]
    assert sum(effect.importance or 0 for effect in effects.values()) == pytest.approx(1)
    assert max(effects.values(), key=lambda effect: effect.importance or 0).name in ("elastic", "flip")


def test_a_low_figure_may_be_good(studies: Any) -> None:
    effects = estimate(studies.make_trials(24), studies.operations, lowest=True)
    assert list(effects)[:3] == ["flip", "rotation", "elastic"]
    assert (effects["flip"].verdict, effects["elastic"].verdict) == ("helps", "harms")


def test_a_collapsed_run_does_not_hide_the_effects(studies: Any) -> None:
    trials = studies.make_trials(24)
    trials[5] = replace(trials[5], figure=0.1)
    effects = estimate(trials, studies.operations)
    assert (effects["elastic"].verdict, effects["flip"].verdict) == ("helps", "harms")


def test_an_operation_that_is_always_on_has_no_effect_to_estimate(studies: Any) -> None:
    trials = [
        replace(one, values={**one.values, "elastic": "as written", "flip": "off"}) for one in studies.make_trials(24)
    ]
    effects = estimate(trials, studies.operations)
    assert effects["elastic"].estimate is effects["elastic"].verdict is effects["elastic"].importance is None
    assert effects["elastic"].note == "on in every trial"
    assert effects["flip"].note == "off in every trial"
    assert effects["jitter"].estimate is not None


def test_few_trials_give_no_estimates(studies: Any) -> None:
    assert {effect.note for effect in estimate(studies.make_trials(7), studies.operations).values()} == {
        "needs 8 different judged trials"
    }
    assert estimate([], studies.operations).keys() == studies.effects.keys()
    assert estimate(studies.make_trials(8), studies.operations)["flip"].estimate is not None


def test_equal_figures_give_no_estimates(studies: Any) -> None:
    trials = [replace(one, figure=0.5) for one in studies.make_trials(12)]
    assert {effect.note for effect in estimate(trials, studies.operations).values()} == {
        "all trials have the same figure"
    }


def test_repeated_trials_do_not_narrow_the_intervals(studies: Any) -> None:
    trials = studies.make_trials(12)
    repeated = [replace(one, number=one.number + 12) for one in trials]
    assert estimate([*trials, *repeated], studies.operations) == estimate(trials, studies.operations)


def test_the_strength_is_reported_if_it_matters(studies: Any) -> None:
    rng = np.random.default_rng(0)
    operation = Operation("elastic", frozenset(["shape"]), ("off", "scaled"), "off")
    trials = []
    for number in range(24):
        strength = float(0.05 ** rng.random())
        values = {"elastic": "scaled", "elastic.strength": strength} if number % 2 else {"elastic": "off"}
        figure = 0.5 + 0.2 * (number % 2) * np.log(strength) / np.log(20) + rng.normal(0, 0.01)
        trials.append(studies.make_record(number, figure, **values, lr=float(rng.random())))
    parameters = [operation, Range("lr", 0.0, 1.0)]
    effect = estimate(trials, parameters)["elastic"]
    assert effect.note == "on average, stronger is better"
    assert effect.strength is not None
    assert effect.strength.low < 0.2 < effect.strength.high
    assert estimate(trials, parameters, lowest=True)["elastic"].note == "on average, weaker is better"


def test_whether_an_operation_is_better_as_written_is_reported(studies: Any) -> None:
    rng = np.random.default_rng(0)
    operation = Operation("elastic", frozenset(["shape"]), ("off", "as written", "scaled"), "as written")
    trials = []
    for number in range(30):
        level = operation.levels[number % 3]
        values = {"elastic": level, "lr": float(rng.random())}
        if level == "scaled":
            values["elastic.strength"] = float(0.05 ** rng.random())
        figure = {"off": 0.5, "as written": 0.7, "scaled": 0.5}[level] + rng.normal(0, 0.01)
        trials.append(studies.make_record(number, float(figure), **values))
    effect = estimate(trials, [operation, Range("lr", 0.0, 1.0)])["elastic"]
    assert effect.note == "on average, better as written"
    assert effect.estimate is not None
    assert effect.estimate.value == pytest.approx(0.1, abs=0.02)  # the mean of both levels
    assert effect.scaled is not None
    assert effect.scaled.low < -0.2 < effect.scaled.high


def test_ranges_and_choices_have_effects(studies: Any) -> None:
    rng = np.random.default_rng(1)
    trials = []
    for number in range(30):
        width, temperature = [16, 32, 64][number % 3], float(np.exp(rng.uniform(np.log(0.05), 0)))
        figure = 0.5 + 0.1 * (width == 64) + 0.05 * np.log(temperature) / np.log(20) + rng.normal(0, 0.01)
        trials.append(studies.make_record(number, float(figure), **{"loss.temperature": temperature, "width": width}))
    parameters = [Range("loss.temperature", 0.05, 1.0, log=True), Choice("width", (16, 32, 64))]
    effects = estimate(trials, parameters, starting={"loss.temperature": 0.5, "width": 32})
    assert {name: effect.change for name, effect in effects.items()} == {
        "width = 64": "32 → 64",
        "loss.temperature": "0.05 → 1",
        "width = 16": "32 → 16",
    }
    for name, truth in {"width = 64": 0.1, "width = 16": 0.0, "loss.temperature": 0.05}.items():
        interval = effects[name].estimate
        assert interval is not None
        assert interval.low < truth < interval.high
    assert effects["width = 64"].verdict == "helps"


def test_pruned_trials_count_as_if_they_had_finished(studies: Any) -> None:
    finished = [
        replace(studies.make_record(number, 0.6 + gain), intermediate={1: 0.5, 2: 0.6})
        for number, gain in enumerate((0.1, 0.2))
    ]
    pruned = replace(studies.make_record(2, None, "pruned"), intermediate={1: 0.3, 2: 0.4})
    unknown = replace(studies.make_record(3, None, "pruned"), intermediate={7: 0.3})
    others = [
        studies.make_record(4, None, "failed"),
        studies.make_record(5, None, "running"),
        studies.make_record(6, float("nan")),
    ]
    assert judge_trials([*finished, pruned, unknown, *others]) == pytest.approx({0: 0.7, 1: 0.8, 2: 0.55})


PAIRED = {"elastic": "scaled", "elastic.strength": 0.2, "flip": "off"}


def test_trials_that_differ_in_one_operation_give_its_effect(studies: Any) -> None:
    trials = [
        studies.make_record(0, 0.5, **PAIRED | {"elastic": "off"}),
        studies.make_record(1, 0.8, **PAIRED),
        studies.make_record(2, 0.7, **PAIRED | {"flip": "as written"}),
        studies.make_record(3, 0.75, **PAIRED | {"elastic.strength": 0.9}),
    ]
    trials[0].values.pop("elastic.strength")
    operations = studies.operations[:2]
    effects = estimate(trials, operations, intervals=dict.fromkeys(range(4), 0.03), seed_noise=0.04)
    assert effects["elastic"].pair == (0, 1)
    assert effects["flip"].pair == (1, 2)
    found = effects["flip"].estimate
    assert found is not None
    assert found.value == pytest.approx(-0.1)
    assert found.half == pytest.approx(np.sqrt(2 * 0.03**2 + 0.04**2))
    assert effects["flip"].verdict == "harms"
    assert effects["flip"].note == ""


def test_a_pair_without_intervals_and_pruned_trials_say_nothing(studies: Any) -> None:
    trials = [studies.make_record(0, 0.8, **PAIRED), studies.make_record(1, 0.7, **PAIRED | {"flip": "as written"})]
    assert estimate(trials, studies.operations[:2])["flip"].pair is None
    pruned = [trials[0], replace(trials[1], state="pruned", figure=None, intermediate={1: 0.5})]
    assert estimate(pruned, studies.operations[:2], intervals={0: 0.03, 1: 0.03})["flip"].pair is None


def test_the_pair_with_the_best_trial_counts(studies: Any) -> None:
    far, near = {"elastic": "off", "flip": "off"}, {"elastic": "as written", "flip": "off"}
    trials = [
        studies.make_record(0, 0.4, **far),
        studies.make_record(1, 0.5, **far | {"flip": "as written"}),
        studies.make_record(2, 0.9, **near),
        studies.make_record(3, 0.6, **near | {"flip": "as written"}),
    ]
    intervals = dict.fromkeys(range(4), 0.03)
    assert estimate(trials, studies.operations[:2], intervals=intervals)["flip"].pair == (2, 3)
    assert estimate(trials, studies.operations[:2], intervals=intervals, lowest=True)["flip"].pair == (0, 1)
