"""The figure that judges trials: a metric of an evaluator, or a figure that every training records."""

from __future__ import annotations

import csv
import json
import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

import sslreg

#: The figures that a training records in each epoch, and whether the smallest is best. None needs labels.
RECORDED = {
    "loss": True,
    "alignment": True,
    "uniformity": True,
    "effective_rank": False,
    "embedding_std": False,
}

#: The name for the metric `RANKME` of the evaluator `SPECTRUM`.
RANK = "rank"
SPECTRUM, RANKME = "spectrum", "rankme"

#: Ends the names of intervals.
_INTERVAL = "_ci"

#: Changes that shorten a training to a step, and leave out what takes time or needs other data.
_ONE_STEP = (
    *("evaluate=[]", "checkpoint.best=null", "data.validation=null", "guard=null", "loggers=[]"),
    *("schedule=null", "trainer.max_steps=1"),  # a schedule may be longer than a step
)


@dataclass(frozen=True)
class Figure:
    """A figure that judges trials.

    Attributes:
        name: Its name in metrics.csv and in the results of a run.
        lowest: Whether the smallest is best.
        every: The number of epochs between two values during a training; None if there is only the last value.
        overrides: The changes of a spec that its runs need to have the figure, as for `sslreg.load_spec`.
    """

    name: str
    lowest: bool = False
    every: int | None = None
    overrides: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name, and whether the smallest is best."""
        return f"{self.name} (lowest)" if self.lowest else self.name

    @property
    def direction(self) -> Literal["minimize", "maximize"]:
        """The direction of a search."""
        return "minimize" if self.lowest else "maximize"

    def read(self, run: sslreg.Run) -> float:
        """Return the figure of a finished run.

        Raises:
            UserError: The run lacks the figure, or it is not finite.
        """
        if self.name in RECORDED:
            values = self.read_epochs(run.path)
            value = values[max(values)] if values else None
        else:
            value = run.summary.get("final", {}).get(self.name)
        if value is None or not math.isfinite(value):
            problem = "is missing" if value is None else f"is {value}"
            raise sslreg.UserError(
                f"{self.name}, the figure that judges trials, {problem} in the results of {run.path}",
                code="no-such-figure",
            )
        return float(value)

    def read_epochs(self, folder: Path) -> dict[int, float]:
        """Return the values during the training of a run by the number of finished epochs.

        The loss is the mean over the steps of an epoch. An epoch without a finite value is left out.

        Args:
            folder: The folder of the run, which may still be training.
        """
        path = folder / "metrics.csv"
        values: dict[int, list[float]] = {}
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    if row.get(self.name):
                        values.setdefault(int(row["epoch"]) + 1, []).append(float(row[self.name]))
        means = {epoch: math.fsum(own) / len(own) for epoch, own in values.items()}
        return {epoch: mean for epoch, mean in means.items() if math.isfinite(mean)}


def resolve_figure(
    file: str | Path,
    name: str,
    overrides: Sequence[str] = (),
    *,
    lowest: bool = False,
    console: Console | None = None,
) -> Figure:
    """Return the figure that a name means for a spec, after making sure that runs of the spec will have it.

    For that the untrained backbone is evaluated, which trials then need not do again. For a figure of the training
    other than the loss, a step is trained in a temporary folder.

    Args:
        file: The file or name of the spec.
        name: A metric such as ``few_shot_1``, ``rank``, or a name in `RECORDED`. The evaluator of a metric is added if
            the spec lacks it.
        overrides: Changes of the spec that all trials share.
        lowest: Whether the smallest is best. For some figures in `RECORDED` it always is.
        console: Where progress is shown; by default standard error.

    Raises:
        UserError: Runs of the spec would not have the figure, or the spec cannot be trained.
    """
    spec = sslreg.load_spec(file, overrides)
    if name in RECORDED:
        if name != "loss":
            _require_recorded(file, name, overrides)
        return Figure(name, lowest or RECORDED[name], every=1)
    added: tuple[str, ...] = ()
    if name == RANK:
        name, added = _add_spectrum(spec)
    elif (missing := _find_missing_evaluator(spec, name)) is not None:
        added = _add_evaluator(spec, missing)
    if added:
        spec = sslreg.load_spec(file, [*overrides, *added])
    evaluators = {component.keys["as"] or component.info.name: component.keys["every"] for component in spec.evaluate}
    owner = _find_owner(evaluators, name)
    metrics = sslreg.evaluate_untrained(spec, console=console)
    known = [metric for metric in metrics if not metric.endswith(_INTERVAL)]
    if owner is None or name not in known:
        raise _unknown_figure("no evaluator of the spec provides", name, [*known, RANK, *RECORDED])
    return Figure(name, lowest, evaluators[owner], added)


def require_comparable(figure: Figure, paths: Iterable[str]) -> None:
    """Raise a UserError if the loss is to judge trials whose losses are different functions.

    Args:
        figure: The figure.
        paths: The paths of the spec that are searched.
    """
    varied = [path for path in paths if path == "loss" or path.startswith("loss.")]
    if figure.name == "loss" and varied:
        raise sslreg.UserError(
            f"--by loss cannot choose {varied[0]}: the losses of such trials are different functions",
            hint=f"choose by a metric, for example --by {RANK}",
            code="incomparable-figure",
        )


def describe_limits(figure: Figure, paths: Iterable[str], *, views: bool) -> list[str]:
    """Return warnings about searched values that change a figure without changing how good the features are.

    Args:
        figure: The figure.
        paths: The paths of the spec that are searched.
        views: Whether the views are searched.
    """
    sections = _CHANGED_BY.get(figure.name.removeprefix(f"{SPECTRUM}_"), {})
    warnings = [
        f"{path} changes {figure.name}: {reason}"
        for path in paths
        for section, reason in sections.items()
        if path == section or path.startswith(f"{section}.")
    ]
    if views and "views" in sections:
        warnings.append(f"--views changes {figure.name}: {sections['views']}")
    return warnings


_EASIER = "it is lowest for views that hardly differ"
_LARGER = "a backbone with more features reaches a higher one"

#: The sections of a spec that change a figure for other reasons than better features, by figures.
_CHANGED_BY = {
    "loss": {
        "data.batch_size": "many losses compare the samples of a batch, and are lower in a small one",
        "model": "other networks fit the same loss better without better features",
        "views": _EASIER,
    },
    "alignment": {"views": _EASIER},
    RANKME: {"model": _LARGER},
}


def _require_recorded(file: str | Path, name: str, overrides: Sequence[str]) -> None:
    """Train a step in a temporary folder. Raises UserError if that does not record the figure."""
    spec = sslreg.load_spec(file, [*overrides, *_ONE_STEP])
    with tempfile.TemporaryDirectory(prefix="sslreg-tune-") as folder:
        run = sslreg.train(spec, Path(folder) / "run", console=Console(quiet=True))
        known = [other for other in RECORDED if Figure(other).read_epochs(run.path)]
    if name not in known:
        raise _unknown_figure(f"a training of {spec.model.use} does not record", name, [*known, RANK])


def _add_spectrum(spec: sslreg.Spec) -> tuple[str, tuple[str, ...]]:
    """Return the name of RankMe, and the changes that add its evaluator to a spec that lacks it."""
    for component in spec.evaluate:
        if component.info.name == SPECTRUM:
            return f"{component.keys['as'] or SPECTRUM}_{RANKME}", ()
    return f"{SPECTRUM}_{RANKME}", _add_evaluator(spec, SPECTRUM)


def _add_evaluator(spec: sslreg.Spec, name: str) -> tuple[str, ...]:
    """Return the changes that add an evaluator to a spec."""
    entries: list[Any] = [*spec.to_dict().get("evaluate", []), {"use": name}]
    return (f"evaluate={json.dumps(entries)}",)


def _find_missing_evaluator(spec: sslreg.Spec, figure: str) -> str | None:
    """Return the installed evaluator of a figure if no evaluator of the spec may have that figure."""
    if _find_owner((component.keys["as"] or component.info.name for component in spec.evaluate), figure) is not None:
        return None
    return _find_owner((info.name for info in sslreg.installed().of_kind("evaluator")), figure)


def _find_owner(evaluators: Iterable[str], name: str) -> str | None:
    """Return the evaluator with whose name that of a figure begins."""
    return max((evaluator for evaluator in evaluators if name.startswith(f"{evaluator}_")), key=len, default=None)


def _unknown_figure(problem: str, name: str, known: Sequence[str]) -> sslreg.UserError:
    hint = sslreg.did_you_mean(name, known) or ""
    return sslreg.UserError(
        f"{problem} the figure {name!r}; it could be {', '.join(known)}",
        hint=hint if hint.startswith("did you mean") else None,  # otherwise, it repeats the list
        code="no-such-figure",
    )
