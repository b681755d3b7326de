"""Refuses a checkpoint whose content does not fit the run that resumes from it."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.trainer.connectors import checkpoint_connector
from torch import nn

from sslreg.assembly import Pipeline, is_machine_failure, list_parameter_groups
from sslreg.errors import SslregError, describe_error
from sslreg.runs.checkpoint_content import find_wrong_optimizer, find_wrong_types, find_wrong_weights
from sslreg.runs.checkpoint_file import wrong_content_error


def require_fitting_content(module: lightning.LightningModule, pipeline: Pipeline, checkpoint: dict[str, Any]) -> None:
    """Raise an SslregError that names the file if its content does not fit the run.

    Args:
        module: The module that gets the weights, attached to a trainer that resumes.
        pipeline: The objects of the run.
        checkpoint: The content of the file.
    """
    types = {
        "epoch": 0,
        "global_step": 0,
        "callbacks": {},
        "loops": {"fit_loop": module.trainer.fit_loop.state_dict()},
        "optimizer_states": [],
        "lr_schedulers": [],
    }
    wrong = (
        find_wrong_weights(module.state_dict(), checkpoint.get("state_dict"))
        or find_wrong_types(types, checkpoint, "the checkpoint")
        or _find_wrong_optimizer(pipeline, checkpoint)
    )
    if wrong:
        raise wrong_content_error(Path(str(module.trainer.ckpt_path)), f"it does not fit this run: {wrong}")


def _find_wrong_optimizer(pipeline: Pipeline, checkpoint: dict[str, Any]) -> str | None:
    try:
        optimizer, schedules = _step_on_meta(pipeline)
    except Exception:  # noqa: BLE001 - an optimizer of any package may look at values, which the meta device lacks
        return None
    if wrong := find_wrong_optimizer(optimizer, checkpoint["optimizer_states"]):
        return wrong
    given = checkpoint["lr_schedulers"]
    if len(given) != len(schedules):
        return f"it has {len(given)} schedules, not {len(schedules)}"
    parts = (
        find_wrong_types(schedule.state_dict(), state, f"schedule {number}")
        for number, (schedule, state) in enumerate(zip(schedules, given, strict=True))
    )
    return next((part for part in parts if part), None)


def _step_on_meta(pipeline: Pipeline) -> tuple[torch.optim.Optimizer, list[Any]]:
    """Return an optimizer of the run that has made a step, and its schedules, on the meta device without memory."""
    groups = [
        {**group, "params": [nn.Parameter(torch.empty_like(one, device="meta")) for one in group["params"]]}
        for group in list_parameter_groups(pipeline.spec, pipeline.model)
    ]
    optimizer: torch.optim.Optimizer = pipeline.builder.build(pipeline.spec.optimizer, groups)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.empty_like(parameter)
    schedules = pipeline.build_schedules(optimizer)
    optimizer.step()
    return optimizer, schedules


def explain_failed_restoring(error: Exception, path: Path) -> SslregError | None:
    """Return the error for a checkpoint that Lightning cannot restore; None for an exception from elsewhere."""
    if is_machine_failure(error):
        return None
    frames = traceback.walk_tb(error.__traceback__)
    if any(frame.f_globals.get("__name__") == checkpoint_connector.__name__ for frame, _ in frames):
        return wrong_content_error(path, f"it does not fit this run: {describe_error(error)}")
    return None
