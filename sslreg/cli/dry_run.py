"""The output of `sslreg train --dry-run`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sslreg.cli.console import stderr, stdout

if TYPE_CHECKING:
    from sslreg.spec import Spec
    from sslreg.training.dry_run import DryRun


def print_dry_run(spec: Spec) -> None:
    """Try everything once and print the results; of several processes one prints."""
    from sslreg.training.dry_run import dry_run

    result = dry_run(spec, console=stderr)
    if result is not None:
        stdout.print("\n".join(format_dry_run(spec, result)))


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
        "nothing is left behind",
    ]


def _format_size(count: int | None) -> str:
    if count is None:
        return "unknown"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _format_duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
