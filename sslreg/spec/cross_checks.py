"""Checks that the parts of a spec fit together, as far as the classes of its components tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sslreg.metric_names import RESERVED_SUBJECTS
from sslreg.spec.class_attributes import read_attribute, report_faults
from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.overrides import locate
from sslreg.spec.sections import ComponentSpec, DataSpec, find_components
from sslreg.spec.tree import MappingNode, find_nearest
from sslreg.spec.view_roles import check_views

#: Precisions in which weights cannot represent the small steps of a moving average, and what to use instead.
LOW_PRECISIONS = ("bf16-true", "16-true", "transformer-engine", "transformer-engine-float16")
MIXED_PRECISION_HINT = "use a mixed precision, such as trainer.precision: bf16-mixed, in which weights are float32"

#: The scheme of addresses that are the output of a command.
_COMMAND = "pipe:"


def check_consistency(values: Mapping[str, Any], tree: MappingNode, diagnostics: DiagnosticCollector) -> None:
    """Report parts of a spec that do not fit together.

    Args:
        values: the valid sections of the spec.
        tree: the spec's tree, for locations.
        diagnostics: receives the mistakes.
    """
    trainer = values.get("trainer", {})
    if "model" in values and "loss" in values:
        _check_loss_input(values["model"], values["loss"], tree, diagnostics)
    if "model" in values and "views" in values:
        with report_faults(values["model"], "attribute views or roles", tree, diagnostics):
            check_views(values["model"], values["views"], tree, diagnostics)
    schedules = values.get("schedule") or ()
    _check_schedule_conflicts(schedules, tree, diagnostics)
    for schedule in schedules if trainer.get("max_epochs") is not None else ():
        _check_schedule_length(schedule, trainer["max_epochs"], tree, diagnostics)
    if values.get("task") and "views" in values:
        _check_task_invariances(values["task"].keep, values["views"], tree, diagnostics)
    if "data" in values:
        _check_alpha(values["data"], tree, diagnostics)
        _check_split(values["data"], tree, diagnostics)
    if "data" in values and "trainer" in values:
        _check_batch_divisible(values["data"].batch_size, trainer, tree, diagnostics)
    if "engine" in values and trainer.get("precision") in LOW_PRECISIONS:
        _check_average_precision(values["engine"].ema, trainer["precision"], tree, diagnostics)
    _check_baseline_names(values.get("baselines", ()), tree, diagnostics)
    for component in find_components(list(values.values())):
        _check_commands(component, tree, diagnostics)
    if "loss" in values and trainer.get("accumulate_grad_batches", 1) > 1:
        _check_accumulation(values["loss"], tree, diagnostics)


def _check_alpha(data: Any, tree: MappingNode, diagnostics: DiagnosticCollector) -> None:
    if data.background == "keep" and data.channels not in (2, 4):
        diagnostics.report(
            locate(tree, ("data", "background"), ("data", "channels")),
            "bad-value",
            f"data.background: keep needs a channel for the opacity, and data.channels is {data.channels}",
            "write data.channels: 4 for color, or 2 for gray",
        )


def induced_invariances(views: Any) -> dict[str, list[ComponentSpec]]:
    """Return the invariances (shape, texture, color) that views teach a model, with the augmentations responsible."""
    induced: dict[str, list[ComponentSpec]] = {}
    for component in find_components(views):
        if component.kind == "augmentation" and component.keys["p"] > 0:
            for invariance in component.info.invariances:
                induced.setdefault(invariance, []).append(component)
    return induced


def _check_loss_input(
    model: ComponentSpec, loss: ComponentSpec, tree: MappingNode, diagnostics: DiagnosticCollector
) -> None:
    # A plain module takes a pair.
    takes = read_attribute(loss, "takes", tree, diagnostics, "pair" if isinstance(loss.info.load(), type) else None)
    gives = read_attribute(model, "gives", tree, diagnostics)
    if not isinstance(takes, str) or not isinstance(gives, tuple | list):
        return
    if takes not in gives:
        diagnostics.report(
            locate(tree, (*loss.path, "use"), (*model.path, "use")),
            "loss-mismatch",
            f"loss {loss.use!r} takes {takes}, but model {model.use!r} gives {' or '.join(map(str, gives))}",
            "choose another loss or another model",
        )


def _check_schedule_conflicts(
    schedules: Sequence[ComponentSpec], tree: MappingNode, diagnostics: DiagnosticCollector
) -> None:
    """Compare the schedules' optional class attribute ``changes``, an option of the optimizer; ``lr`` by default."""
    first: dict[str, ComponentSpec] = {}
    for schedule in schedules:
        option = str(read_attribute(schedule, "changes", tree, diagnostics, "lr"))
        if (other := first.setdefault(option, schedule)) is not schedule:
            diagnostics.report(
                find_nearest(tree, schedule.path).location,
                "schedule-conflict",
                f"schedule {schedule.use!r} changes {option}, which schedule {other.use!r} changes, too",
                "remove one of them: each schedule of a list changes another option of the optimizer",
            )


def _check_schedule_length(
    schedule: ComponentSpec, max_epochs: int, tree: MappingNode, diagnostics: DiagnosticCollector
) -> None:
    """Check the schedule's optional static method ``least_epochs(**params)``: the shortest training that it allows."""
    needed = _count_least_epochs(schedule, schedule.params, tree, diagnostics)
    if needed is not None and needed > max_epochs >= 0:  # -1 has no limit
        suggestion = _suggest_shorter(schedule, max_epochs, tree, diagnostics)
        diagnostics.report(
            locate(tree, schedule.path, ("trainer", "max_epochs")),
            "schedule-too-long",
            f"schedule {schedule.use!r} needs {needed:g} epochs, but the training has {max_epochs}",
            f"shorten the schedule or raise trainer.max_epochs{suggestion}",
        )


def _suggest_shorter(
    schedule: ComponentSpec, max_epochs: int, tree: MappingNode, diagnostics: DiagnosticCollector
) -> str:
    """Return the ``--set`` that makes a schedule fit: a parameter is set to a tenth of the epochs."""
    for name, value in schedule.params.items():
        if type(value) not in (int, float) or value <= max_epochs:
            continue
        short = max_epochs // 10 if type(value) is int else max_epochs / 10
        needed = _count_least_epochs(schedule, {**schedule.params, name: short}, tree, diagnostics)
        if needed is not None and needed <= max_epochs:
            return f": --set {'.'.join(map(str, schedule.path))}.{name}={short:g}"
    return ""


def _count_least_epochs(
    schedule: ComponentSpec, params: Mapping[str, Any], tree: MappingNode, diagnostics: DiagnosticCollector
) -> float | None:
    """Return the shortest training that a schedule allows, in epochs; None if it does not tell."""
    least_epochs = read_attribute(schedule, "least_epochs", tree, diagnostics)
    if least_epochs is not None:
        with report_faults(schedule, "method least_epochs", tree, diagnostics):
            return float(least_epochs(**params))
    return None


def _check_task_invariances(
    keep: tuple[str, ...], views: Any, tree: MappingNode, diagnostics: DiagnosticCollector
) -> None:
    for invariance, augmentations in induced_invariances(views).items():
        for augmentation in augmentations if invariance in keep else ():
            diagnostics.report(
                find_nearest(tree, augmentation.path).location,
                "invariance",
                f"{augmentation.use!r} teaches the model to overlook {invariance}, which task.keep lists",
                f"remove the augmentation, or remove {invariance} from task.keep",
                severity="warning",
            )


def _check_split(data: DataSpec, tree: MappingNode, diagnostics: DiagnosticCollector) -> None:
    """Check the shares of a split, and that it makes no data set that the spec also names."""
    if data.split is None:
        return
    shares = data.split.shares
    if not shares or sum(shares.values()) >= 1:
        diagnostics.report(
            find_nearest(tree, ("data", "split")).location,
            "wrong-value",
            f"data.split {'leaves nothing to train on' if shares else 'names no share'}",
            "write the share of the samples to test on, for example split: {test: 0.2}",
        )
    for role in shares:
        if getattr(data, role) is not None:
            diagnostics.report(
                locate(tree, ("data", "split", role), ("data", role)),
                "two-data-sets",
                f"data.{role} is a data set and also a part of data.split",
                f"remove one of them; if this spec inherits it, write {role}: null or split: null",
            )


def _check_baseline_names(names: Iterable[str], tree: MappingNode, diagnostics: DiagnosticCollector) -> None:
    """Check that the names can be keys of the files with evaluations and parts of dotted paths."""
    for name in names:
        is_reserved = name in RESERVED_SUBJECTS
        if is_reserved or not re.fullmatch(r"[A-Za-z_][\w-]*", name):
            reason = "every run uses this name itself" if is_reserved else "it has other characters"
            diagnostics.report(
                find_nearest(tree, ("baselines", name)).location,
                "bad-value",
                f"baselines.{name} cannot be the name of a baseline: {reason}",
                "choose a name of letters, digits, - and _ that begins with a letter, such as dinov2",
            )


def _check_batch_divisible(
    batch_size: int, trainer: Mapping[str, Any], tree: MappingNode, diagnostics: DiagnosticCollector
) -> None:
    devices, nodes = trainer.get("devices"), trainer.get("num_nodes", 1)
    per_node = len(devices) if isinstance(devices, list) else devices if type(devices) is int else 0
    count = per_node * nodes
    if count > 0 and batch_size % count:
        diagnostics.report(
            locate(tree, ("data", "batch_size"), ("trainer", "devices"), ("trainer", "num_nodes")),
            "batch-size",
            f"a batch of {batch_size} samples cannot be divided evenly among {count} devices",
            f"data.batch_size counts the samples of all devices together; use a multiple of {count}",
        )


def _check_accumulation(loss: ComponentSpec, tree: MappingNode, diagnostics: DiagnosticCollector) -> None:
    """Warn if gradient accumulation does not have the effect of a larger batch, because negatives come from a batch."""
    is_module = isinstance(loss.info.load(), type)  # a plain module compares the samples of a batch
    compares_batch = read_attribute(loss, "compares_batch", tree, diagnostics, is_module)
    if compares_batch and not any(component.kind == "memory_bank" for component in find_components(loss)):
        diagnostics.report(
            find_nearest(tree, ("trainer", "accumulate_grad_batches")).location,
            "accumulation",
            f"accumulation does not add negatives: loss {loss.use!r} compares only the samples of one batch with each "
            "other",
            "for more negatives, raise data.batch_size or give the loss a memory_bank",
            severity="warning",
        )


def _check_commands(component: ComponentSpec, tree: MappingNode, diagnostics: DiagnosticCollector) -> None:
    """Warn of addresses that run a command."""
    for name, value in component.params.items():
        for number, text in enumerate(value if isinstance(value, list | tuple) else [value]):
            if isinstance(text, str) and text.lower().startswith(_COMMAND):
                diagnostics.report(
                    find_nearest(tree, (*component.path, name, number)).location,
                    "command",
                    f"training runs the command {text[len(_COMMAND) :].strip()!r}",
                    "read the command before you train; if you do not trust the author of the spec, remove it",
                    severity="warning",
                )


def _check_average_precision(
    decay: float | None, precision: str, tree: MappingNode, diagnostics: DiagnosticCollector
) -> None:
    if decay is not None:
        diagnostics.report(
            locate(tree, ("engine", "ema"), ("trainer", "precision")),
            "wrong-value",
            f"an average of weights does not move in {precision}, which cannot represent its small steps",
            MIXED_PRECISION_HINT,
        )
