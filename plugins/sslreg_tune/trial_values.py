"""The values of each trial: the starting spec, a design, and then comparisons and the Tree-structured Parzen Estimator.

A comparison is the best trial so far with one operation switched on or off. It tells what this operation does where it
matters: near the spec that is the result. It is also a step of the search, since it may be better. Three of four trials
after the design are comparisons, as long as operations are left to compare.

The values of a trial are a function of the study's seed, of the trial's number and of the trials that have ended. So a
study that is killed anywhere and continued has the same trials as one that is not, if one process at a time searches.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Sequence

import numpy as np
import optuna
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import FixedTrial, TrialState

from sslreg_tune.pairs import find_pair
from sslreg_tune.parameters import Operation, Values
from sslreg_tune.search_config import SearchConfig
from sslreg_tune.trial_record import Origin, find_best
from sslreg_tune.trial_storage import StoredTrial, TrialValues

#: The number of ended trials from which the estimator is used, if the design is smaller. Before, values are random.
MIN_TRIALS = 4
#: Of this many trials after the design, all but one are comparisons.
PERIOD = 4
#: A study has a design only if it has this many times as many trials. Others need them near the best trial.
DESIGN_BUDGET = 4
#: How often values are drawn again that were tried before: a run with equal values and an equal seed is equal.
MAX_REPETITIONS = 20


def choose_design_size(config: SearchConfig, budget: int | None) -> int:
    """Return the number of design trials: none if they were more than a quarter of the trials.

    Args:
        config: What is searched.
        budget: The number of trials of the study, None if it is unknown.
    """
    if config.trials is not None:
        return 0
    size = config.space.design_size
    return size if budget is None or budget >= DESIGN_BUDGET * size else 0


def choose_values(
    config: SearchConfig, trials: Sequence[StoredTrial], number: int, design_size: int
) -> TrialValues | None:
    """Return the values of a trial; None if there is no such trial, because a list has ended.

    Args:
        config: What is searched.
        trials: All trials of the study.
        number: The number of the trial.
        design_size: The number of design trials.
    """
    planned = list_planned_trials(config, design_size)
    if number < len(planned):
        values, seed, origin = planned[number]
    elif config.trials is not None:
        return None
    else:
        others = [trial for trial in trials if trial.number != number]
        seed, origin = config.spec.seed, "comparison"
        compared = find_comparison(config, others) if (number - len(planned) + 1) % PERIOD else None
        if compared is None:
            compared, origin = _search(config, others, number), "search"
        values = compared
    params = config.space.to_params(values)
    fixed = FixedTrial(params)
    config.space.suggest(fixed)
    return TrialValues(json.loads(json.dumps(values)), seed, origin, params, fixed.distributions)


def list_planned_trials(config: SearchConfig, design_size: int) -> list[tuple[Values, int, Origin]]:
    """Return the values, the seed and the origin of each trial that does not depend on others."""
    if config.trials is not None:
        return [(values, seed, "list") for values, seed in config.trials]
    planned: list[tuple[Values, int, Origin]] = []
    if config.space.starting is not None:
        planned.append((config.space.starting, config.spec.seed, "start"))
    for values in config.space.design(design_size, config.seed):
        # Equal values would train the same run again.
        if values not in [before for before, _, _ in planned]:
            planned.append((values, config.spec.seed, "design"))
    return planned


def find_comparison(config: SearchConfig, trials: Sequence[StoredTrial]) -> Values | None:
    """Return the values of the best trial with one operation switched; None if all of them were tried.

    Operations that were not compared come first, then those whose comparison is farthest from the best trial.

    Args:
        config: What is searched.
        trials: The other trials.
    """
    best = find_best(trials, lowest=config.figure.lowest)
    if best is None or best.values is None:
        return None
    tried = [trial.values for trial in trials]
    operations = [parameter for parameter in config.space.parameters if isinstance(parameter, Operation)]
    operations.sort(key=lambda operation: _rate_comparison(config, trials, operation))
    switched = (config.space.toggle(dict(best.values), operation) for operation in operations)
    return next((values for values in switched if json.loads(json.dumps(values)) not in tried), None)


def _rate_comparison(config: SearchConfig, trials: Sequence[StoredTrial], operation: Operation) -> float:
    """Return how good the better trial of the comparison of an operation is; the lowest number without one."""
    sign = -1 if config.figure.lowest else 1
    pair = find_pair(trials, operation.name, lowest=config.figure.lowest)
    figures = [sign * trial.figure for trial in trials if pair and trial.number in pair and trial.figure is not None]
    return max(figures, default=-math.inf)


def _search(config: SearchConfig, trials: Sequence[StoredTrial], number: int) -> Values:
    """Return values that the Tree-structured Parzen Estimator proposes.

    If other trials have them, others are drawn, in the end at random. Values are tried twice only if hardly any are
    left.
    """
    seed = int(np.random.SeedSequence((config.seed, number)).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        estimator = TPESampler(
            # Effects of operations depend on each other; a strength exists only for some of the trials.
            multivariate=True,
            group=True,
            # So that processes do not search in the same place at the same time.
            constant_liar=True,
            n_startup_trials=MIN_TRIALS,
            seed=seed,
        )
    study = optuna.create_study(direction=config.figure.direction, sampler=estimator)
    study.add_trials([trial.frozen for trial in trials])
    tried = [trial.values for trial in trials]
    for repetition in range(2 * MAX_REPETITIONS):
        if repetition == MAX_REPETITIONS:
            study.sampler = RandomSampler(seed)
        trial = study.ask()
        values = config.space.suggest(trial)
        if json.loads(json.dumps(values)) not in tried:
            break
        study.tell(trial, state=TrialState.FAIL)
    return values
