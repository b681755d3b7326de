"""What `sslreg train --dry-run` prints."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sslreg.cli.console import stderr, stdout

if TYPE_CHECKING:
    from sslreg.spec import Spec
    from sslreg.training.dry_run import DryRun


def rehearse(spec: Spec) -> None:
    """Try everything once and say what was found; of several processes one speaks."""
    from sslreg.training.dry_run import dry_run

    found = dry_run(spec, console=stderr)
    if found is not None:
        stdout.print("\n".join(lines(spec, found)), highlight=False, markup=False)


def lines(spec: Spec, found: DryRun) -> list[str]:
    """A line for each thing that was tried, then what the training would take."""
    losses = ", ".join(f"{loss:.4g}" for loss in found.losses)
    evaluators = "; ".join(
        [f"{', '.join(found.judged)} ran"] * bool(found.judged)
        + [f"{name} needs more images than these" for name in found.too_few]
    )
    memory = f"{_size(found.memory_bytes)} in this process"
    if found.worker_bytes:
        memory += f", {_size(found.worker_bytes)} in a loading process"
    if found.device_bytes is not None:
        memory += f", {_size(found.device_bytes)} on the accelerator"
    return [
        f"trained {len(found.losses)} steps of {spec.samples_per_step} images: loss {losses}",
        f"wrote a checkpoint of {_size(found.checkpoint_bytes)}, read it back and went on from it",
        f"embedded {found.embedded} images" + (f": {evaluators}" if evaluators else ""),
        f"peak memory: {memory}",
        f"an epoch of {found.steps_per_epoch} steps takes about {_duration(found.epoch_seconds)}, "
        f"the training of {found.steps} about {_duration(found.seconds)}, without evaluations",
        "nothing is left behind",
    ]


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))
