"""What a study searches, and the spec of each of its trials."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sslreg
from sslreg_tune.figure import Figure
from sslreg_tune.parameters import Values
from sslreg_tune.search_space import SearchSpace

#: Each trial is trained in one process on one device.
ONE_DEVICE = ("trainer.devices=1", "trainer.strategy=auto", "trainer.num_nodes=1")
#: How often a figure is measured during a trial, if the spec does not say.
INTERMEDIATE_FIGURES = 4


@dataclass(frozen=True)
class SearchConfig:
    """What a study searches. A study continues only with an equal one.

    Attributes:
        source: The file or the name of the spec, as for `sslreg.load_spec`.
        overrides: The arguments of ``--set``.
        figure: The figure that judges trials.
        space: The search space.
        seed: The seed of the design and of the search. The runs of trials have the seed of the spec.
        validation: The share of the reference samples that judge trials; None if the spec stays as it is.
        prunes: Whether trials that do not look promising end early.
        trials: The values and seeds of all trials of a grid or of several seeds; None for a search.
    """

    source: str
    overrides: tuple[str, ...]
    figure: Figure
    space: SearchSpace
    seed: int = 0
    validation: float | None = None
    prunes: bool = True
    trials: tuple[tuple[Values, int], ...] | None = None

    @cached_property
    def spec(self) -> sslreg.Spec:
        """The starting spec."""
        return sslreg.load_spec(self.source, self.overrides)

    @cached_property
    def digest(self) -> str:
        """A digest of the starting spec."""
        return _compute_digest(self.spec)

    @property
    def max_epochs(self) -> int | None:
        """The number of epochs of a trial that is not pruned."""
        return self.spec.trainer.get("max_epochs")

    def describe(self) -> dict[str, Any]:
        """Return the configuration as plain data, which is equal for equal ones, after the option that sets it."""
        description = {
            "--set": list(self.overrides),
            "spec": self.digest,
            "--by": [self.figure.name, "lowest" if self.figure.lowest else "highest"],
            "--over and --views": self.space.to_dict(),
            "--seed": self.seed,
            "--validation": self.validation,
            "--no-prune": not self.prunes,
            "--grid and --seeds": self.trials is not None,
        }
        plain: dict[str, Any] = json.loads(json.dumps(description))
        return plain

    def build_spec(self, values: Values, seed: int) -> sslreg.Spec:
        """Return the spec of a trial.

        Raises:
            UserError: The spec is not valid, or its file has changed since the study was opened.
        """
        if _compute_digest(sslreg.load_spec(self.source, self.overrides)) != self.digest:
            raise sslreg.UserError(
                f"{self.source} has changed while the study is running",
                hint="restore the file and repeat the command, or start another study with --out",
                code="spec-changed",
            )
        validation = () if self.validation is None else (f"data.validation={self.validation}",)
        return sslreg.load_spec(
            self.source,
            [
                *(*self.overrides, *self.figure.overrides, *self._intermediate_evaluation),
                *(*validation, *ONE_DEVICE, f"seed={seed}", *self.space.overrides(values)),
            ],
        )

    @cached_property
    def _intermediate_evaluation(self) -> Sequence[str]:
        """The override by which the evaluator of the figure runs during a trial, unless the spec says when it does."""
        if not self.prunes or self.figure.every is not None or self.max_epochs is None:
            return ()
        spec = sslreg.load_spec(self.source, [*self.overrides, *self.figure.overrides])
        names = [component.keys["as"] or component.info.name for component in spec.evaluate]
        owners = [name for name in names if self.figure.name.startswith(f"{name}_")]
        owner = names.index(max(owners, key=len))
        return (f"evaluate.{owner}.every={max(1, round(self.max_epochs / INTERMEDIATE_FIGURES))}",)


def _compute_digest(spec: sslreg.Spec) -> str:
    """Return a digest of the values of a spec."""
    return hashlib.sha256(json.dumps(spec.to_dict(), sort_keys=True).encode()).hexdigest()[:16]


def require_same_search(before: Mapping[str, Any], now: Mapping[str, Any], study: str) -> None:
    """Raise a UserError that names the first difference between what a study searches and what it is to search.

    Args:
        before: The description with which the study was started.
        now: The description of the repeated command.
        study: The study, for the message.
    """
    for name, value in now.items():
        if name not in before or before[name] != value:
            change = f": {_shorten(before.get(name))}, now {_shorten(value)}"
            detail = "" if name in ("spec", "--over and --views") else change
            raise sslreg.UserError(
                f"{study} was started with another {'spec' if name == 'spec' else f'value of {name}'}{detail}",
                hint="repeat the command that started it, or start another study with --out",
                code="other-study",
            )


def _shorten(value: Any) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
