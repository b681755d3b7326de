"""Whether the parts of a spec fit each other, as far as their classes tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sslreg.spec.diagnostics import Findings
from sslreg.spec.sections import ComponentSpec, components
from sslreg.spec.tree import Entries, nearest


def check_fit(values: Mapping[str, Any], tree: Entries, findings: Findings) -> None:
    """Report parts that do not fit. values: the spec's sections, as far as they could be read."""
    if "model" in values and "loss" in values:
        _loss_takes_what_model_gives(values["model"], values["loss"], tree, findings)
    if "model" in values and "views" in values:
        _views_are_as_many_as_model_takes(values["model"], values["views"], tree, findings)
    if values.get("schedule") and values.get("trainer", {}).get("max_epochs"):
        _schedule_fits_into_training(values["schedule"], values["trainer"]["max_epochs"], tree, findings)
    if values.get("task") and "views" in values:
        _views_keep_what_task_tells_apart(values["task"].keep, values["views"], tree, findings)
    if "data" in values and "trainer" in values:
        _batch_divides_among_devices(values["data"].batch_size, values["trainer"], tree, findings)
    if "engine" in values and values.get("trainer", {}).get("precision") in _COARSE:
        _average_has_fine_weights(values["engine"].ema, values["trainer"]["precision"], tree, findings)
    _device_has_half_precision(values.get("trainer", {}), tree, findings)
    if "loss" in values and values.get("trainer", {}).get("accumulate_grad_batches", 1) > 1:
        _loss_does_not_compare_a_batch(values["loss"], tree, findings)


#: What losses take that compare the samples of a batch with each other; without that, a pair would collapse them.
_COMPARING = ("pair", "views", "labeled views")


#: Precisions whose weights cannot hold the small steps of an average.
_COARSE = ("bf16-true", "16-true", "transformer-engine", "transformer-engine-float16")

#: How a spec may ask for mixed precision in float16, and what to do about it where a CPU is to compute.
HALF_MIXED = (16, "16", "16-mixed")
NO_HALF_ON_CPU = "mixed precision in float16 needs a GPU", "on a CPU use bf16-mixed, or 32-true"


def induced_invariances(views: Any) -> dict[str, list[ComponentSpec]]:
    """What the views teach a model to overlook (shape, texture, color), with the augmentations that do."""
    induced: dict[str, list[ComponentSpec]] = {}
    for component in components(views):
        if component.kind == "augmentation" and component.keys["p"] > 0:
            for invariance in component.info.invariances:
                induced.setdefault(invariance, []).append(component)
    return induced


def _loss_takes_what_model_gives(model: ComponentSpec, loss: ComponentSpec, tree: Entries, findings: Findings) -> None:
    takes = getattr(loss.info.load(), "takes", None)
    gives = getattr(model.info.load(), "gives", None)
    if isinstance(takes, str) and isinstance(gives, tuple | list) and takes not in gives:
        findings.report(
            nearest(tree, (*loss.at, "use")).origin,
            "loss-mismatch",
            f"loss {loss.use!r} takes {takes}, and model {model.use!r} gives {' or '.join(gives)}",
            "choose another loss or another model",
        )


def _views_are_as_many_as_model_takes(model: ComponentSpec, views: Any, tree: Entries, findings: Findings) -> None:
    limits = getattr(model.info.load(), "views", None)
    if not isinstance(limits, tuple) or len(limits) != 2:
        return
    least, most = limits
    count = sum(view.repeat for view in views)
    if least <= count and (most is None or count <= most):
        return
    wanted = f"{least}" if least == most else f"at least {least}" if most is None else f"{least} to {most}"
    findings.report(
        nearest(tree, ("views",)).origin,
        "view-count",
        f"model {model.use!r} takes {wanted} views of an image, not {count}",
        "`repeat` says how many views an entry of `views` stands for",
    )


def _schedule_fits_into_training(schedule: ComponentSpec, max_epochs: int, tree: Entries, findings: Findings) -> None:
    """A schedule's class may say how long a training it needs: ``least_epochs(**params)``, a static method."""
    least_epochs = getattr(schedule.info.load(), "least_epochs", None)
    if least_epochs is not None and (needed := least_epochs(**schedule.params)) > max_epochs > 0:
        findings.report(
            nearest(tree, schedule.at).origin,
            "schedule-too-long",
            f"schedule {schedule.use!r} needs {needed:g} epochs, and the training has {max_epochs}",
            "shorten the schedule or raise trainer.max_epochs",
        )


def _views_keep_what_task_tells_apart(keep: tuple[str, ...], views: Any, tree: Entries, findings: Findings) -> None:
    for invariance, augmentations in induced_invariances(views).items():
        for augmentation in augmentations if invariance in keep else ():
            findings.report(
                nearest(tree, augmentation.at).origin,
                "invariance",
                f"{augmentation.use!r} teaches the model to overlook {invariance}, which the task tells apart",
                f"leave it out, or take {invariance} out of task.keep",
                severity="warning",
            )


def _batch_divides_among_devices(
    batch_size: int, trainer: Mapping[str, Any], tree: Entries, findings: Findings
) -> None:
    devices, nodes = trainer.get("devices"), trainer.get("num_nodes", 1)
    each = len(devices) if isinstance(devices, list) else devices if type(devices) is int else 0
    count = each * nodes
    if count > 0 and batch_size % count:
        findings.report(
            nearest(tree, ("data", "batch_size")).origin,
            "batch-size",
            f"a batch of {batch_size} cannot be shared equally by {count} devices",
            f"data.batch_size is for all devices together: a multiple of {count}",
        )


def _loss_does_not_compare_a_batch(loss: ComponentSpec, tree: Entries, findings: Findings) -> None:
    """Warn of accumulation where it does not do what a larger batch does. A bank's negatives stay what they are."""
    if getattr(loss.info.load(), "takes", None) in _COMPARING and not loss.params.get("memory_bank"):
        findings.report(
            nearest(tree, ("trainer", "accumulate_grad_batches")).origin,
            "accumulation",
            f"accumulation makes larger steps, but adds no negatives: loss {loss.use!r} compares the samples of one "
            "batch with each other",
            "for more of them raise data.batch_size, or give the loss a memory_bank",
            severity="warning",
        )


def _device_has_half_precision(trainer: Mapping[str, Any], tree: Entries, findings: Findings) -> None:
    if trainer.get("accelerator") == "cpu" and trainer.get("precision") in HALF_MIXED:
        findings.report(nearest(tree, ("trainer", "precision")).origin, "wrong-value", *NO_HALF_ON_CPU)


def _average_has_fine_weights(decay: float | None, precision: str, tree: Entries, findings: Findings) -> None:
    if decay is not None:
        findings.report(
            nearest(tree, ("engine", "ema")).origin,
            "wrong-value",
            f"an average of weights stands still in {precision}, which cannot hold its small steps",
            "use a mixed precision (trainer.precision: bf16-mixed), whose weights are float32",
        )
