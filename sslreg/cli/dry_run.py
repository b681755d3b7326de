"""The output of `sslreg train --dry-run`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sslreg.cli.console import print_json, stderr, stdout
from sslreg.cli.timing_table import describe_conclusions, describe_loading, tabulate_step
from sslreg.runs.bottlenecks import format_seconds

if TYPE_CHECKING:
    from sslreg.spec import Spec
    from sslreg.training.dry_run import DryRun


def print_dry_run(spec: Spec, json: bool) -> None:
    """Try everything once and print the results; of several processes one prints."""
    from sslreg.runs.bottlenecks import report_timing
    from sslreg.training.dry_run import dry_run

    result = dry_run(spec, console=stderr)
    if result is None:
        return
    timing = report_timing(result.timing, spec)
    if json:
        estimates = {"epoch_seconds": result.epoch_seconds, "seconds": result.seconds}
        print_json(asdict(result) | estimates | {"timing": timing})
        return
    stdout.print("\n".join(format_dry_run(spec, result)))
    _print_timing(timing, result)
    stdout.print("nothing is left behind")


def _print_timing(report: dict[str, Any], result: DryRun) -> None:
    """Print the time of a step, of a checkpoint and of an evaluation, and what to change."""
    measured = report["measured"]
    if report["step_seconds"]:
        processes = measured["processes"]
        where = f", in the first of {processes} processes" if processes > 1 else ""
        stdout.print(f"\ntime of a step, the first one left out{where}:")
        stdout.print(tabulate_step(report))
        each = measured["seconds"]["checkpoints"] / measured["checkpoints"]
        stdout.print(f"writing a checkpoint takes {format_seconds(each)}")
    if result.evaluation_seconds is not None:
        stdout.print(
            f"evaluating {result.evaluated_images:,} of {result.evaluation_images:,} images takes "
            f"{format_seconds(result.evaluation_seconds)}"
        )
    for line in (*describe_loading(report), *describe_conclusions(report), ""):
        stdout.print(line)


def format_dry_run(spec: Spec, result: DryRun) -> list[str]:
    """Return a line for each thing that was tried, and lines for what the training would need."""
    losses = ", ".join(f"{loss:.4g}" for loss in result.losses)
    evaluators = "; ".join(
        [f"{', '.join(result.evaluated)} ran"] * bool(result.evaluated)
        + [f"{name} needs more images than these" for name in result.too_few]
    )
    memory = f"{_format_size(result.memory_bytes)} in this process"
    if result.worker_bytes != 0:
        memory += f", {_format_size(result.worker_bytes)} in a loading process"
    if result.device_bytes is not None:
        memory += f", {_format_size(result.device_bytes)} on the accelerator"
    return [
        f"trained {len(result.losses)} steps of {spec.samples_per_step} images: loss {losses}",
        f"wrote a checkpoint of {_format_size(result.checkpoint_bytes)}, read it back and resumed from it",
        f"embedded {result.embedded} images" + (f": {evaluators}" if evaluators else ""),
        f"peak memory: {memory}",
        f"an epoch of {result.steps_per_epoch} steps takes about {_format_duration(result.epoch_seconds)}, "
        f"the training of {result.steps} about {_format_duration(result.seconds)}, without evaluations",
    ]


def _format_size(count: int | None) -> str:
    if count is None:
        return "unknown"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _format_duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
