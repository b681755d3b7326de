"""The command ``sslreg explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from sslreg.cli.console import print_diagnostics, print_json, stderr, stdout
from sslreg.cli.options import Json, Overrides, SpecName
from sslreg.errors import UserError

if TYPE_CHECKING:
    from sslreg.spec import Spec
    from sslreg.views import ViewPlan


def explain(
    spec: SpecName,
    overrides: Overrides = None,
    device: Annotated[
        str | None,
        typer.Option("--device", help="The device, such as cuda or cpu; default: the best one of this machine."),
    ] = None,
    json: Json = False,
) -> None:
    """Show the stages of a spec's views.

    The output tells where each stage runs and what a model learns to overlook.
    """
    from sslreg.spec import load_spec

    loaded = load_spec(spec, overrides or ())
    content = _explain(loaded, _best_device() if device is None else _require_device(device))
    if json:
        print_json(content)
        return
    print_diagnostics(loaded.warnings, loaded.sources, stderr)
    for view in content["views"]:
        role = f" ({view['role']})" if view["role"] else ""
        title = f"view {view['number']}{role}" + (f", made {view['repeat']} times" if view["repeat"] > 1 else "")
        stdout.print(_table(title, view["stages"]))
    stdout.print(_table("embedding view", content["embed_view"]))
    for invariance, operations in content["invariances"].items():
        stdout.print(f"overlooks {invariance}: {', '.join(operations)}")
    if not content["invariances"]:
        stdout.print("overlooks nothing: no operation induces an invariance")


def _best_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def _require_device(name: str) -> str:
    """Return the name, or raise `UserError` if torch has no such device."""
    import torch

    try:
        torch.device(name)
    except RuntimeError as error:
        raise UserError(
            f"--device {name}: torch has no such device", hint="use cpu, cuda or mps, for example", code="bad-argument"
        ) from error
    return name


def _explain(spec: Spec, device: str) -> dict[str, Any]:
    from sslreg.assembly import Builder, build_embed_plan, build_view_plans
    from sslreg.spec import induced_invariances

    plans = {plan.group: plan for plan in build_view_plans(Builder(spec))}
    return {
        "views": [
            {
                "number": number + 1,
                "role": view.role,
                "repeat": view.repeat,
                "stages": _stages(plans[number], device),
            }
            for number, view in enumerate(spec.views)
        ],
        "embed_view": _stages(build_embed_plan(spec), "cpu", embedding=True),
        "invariances": {
            invariance: [component.use for component in components]
            for invariance, components in induced_invariances(spec.views).items()
        },
    }


def _stages(plan: ViewPlan, device: str, embedding: bool = False) -> list[dict[str, Any]]:
    """Return the stages of a plan in order, each with its place and its operations.

    Args:
        plan: the plan.
        device: the device.
        embedding: whether to name operations by their classes, since in the embedding view an operation may be replaced
            by another, such as a random crop by a resize and a center crop.
    """
    import torch

    on_host = plan.steps_on_host(None if device == "cpu" else torch.device(device))
    parts = ((range(on_host), "host"), (range(on_host, len(plan.steps)), device))
    return [
        {"place": place, "operations": [plan.steps[step].label(by_class=embedding) for step in stage.steps]}
        for steps, place in parts
        for stage in plan.stages(steps)
    ]


def _table(title: str, stages: list[dict[str, Any]]) -> Table:
    table = Table("stage", "runs on", "operations", title=title, title_justify="left")
    for number, stage in enumerate(stages, start=1):
        table.add_row(str(number), stage["place"], " + ".join(stage["operations"]))
    return table
