"""Prints the time that the phases of a training take, and what to change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Column, Table

from sslreg.runs.bottlenecks import format_seconds

#: What each phase is called in the table.
_ROWS = {
    "waiting": "waiting for data",
    "transfer": "transfer to the device",
    "optimizer": "optimizer, hooks of the model",
    "logging": "logging, progress",
    "other": "other, callbacks of the spec",
}


def tabulate_step(report: Mapping[str, Any]) -> Table:
    """Return a table with a row for each phase of a step.

    Args:
        report: What `report_timing` returns.
    """
    table = Table(Column("phase", no_wrap=True), Column("share", justify="right"), Column("per step", justify="right"))
    table.box, table.padding = None, (0, 2, 0, 0)
    for phase, share in report["step_shares"].items():
        table.add_row(_ROWS.get(phase, phase), f"{share:.1%}", format_seconds(share * report["step_seconds"]))
    return table


def describe_loading(report: Mapping[str, Any]) -> list[str]:
    """Return sentences about the processes that load, as far as they were measured."""
    measured, shares = report["measured"], report["loading_shares"]
    if not shares:
        return []
    seconds = sum(measured["loading_seconds"].values()) / measured["loaded_batches"]
    workers = measured["workers"]
    where = {0: "in the training process", 1: "in the worker"}.get(workers, f"in each of the {workers} workers")
    parts = ", ".join(f"{phase} {share:.0%}" for phase, share in shares.items())
    return [
        f"loading a batch {where} takes {format_seconds(seconds)}: {parts}",
        f"training takes {report['images_per_second']:,.0f} images/s; loading alone could give "
        f"{report['loader_images_per_second']:,.0f}",
    ]


def describe_conclusions(report: Mapping[str, Any], most: int | None = None) -> list[str]:
    """Return a sentence about what takes the time, and lines of advice, the most useful ones first.

    Args:
        report: What `report_timing` returns.
        most: The largest number of lines of advice; None for all.
    """
    advice = [f"to change: {one['text']}" for one in report["advice"][:most]]
    if report["step_seconds"] and not advice:
        advice = ["nothing that sslreg knows would save more than 5%"]
    return [report["summary"], *advice]
