"""sslreg data"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import sslreg

if TYPE_CHECKING:
    from sslreg_data.data_report import DataReport


def data(
    target: Annotated[str, typer.Argument(metavar="SPEC|FOLDER", help="A spec, or a folder of images.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the spec: --set data.channels=1."),
    ] = None,
    images: Annotated[int, typer.Option("--images", min=1, help="How many images of each data set to examine.")] = 2000,
    everything: Annotated[bool, typer.Option("--all", help="Examine all images.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the suggested recipe, a spec, to a new file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is in a data set, and suggest a recipe for it."""
    from sslreg_data.data_report import report_data

    if out is not None and out.exists():
        raise sslreg.UserError(f"{out} exists", hint="give --out another name, or remove the file", code="bad-argument")
    report = report_data(target, overrides or (), None if everything else images, _show_progress)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2))
    else:
        _print_report(report)
    text = report.format_spec()
    if out is not None:
        if text is None:
            raise sslreg.UserError("no image of the training set can be read, so there is no recipe for it")
        with sslreg.atomic_write(out) as draft:
            draft.write_text(text, encoding="utf-8")
    if not as_json and text is not None:
        _print_next_steps(target, out)


def _print_report(report: DataReport) -> None:
    from sslreg_data.summary import format_dataset, format_findings

    for role, summary in report.summaries.items():
        _print(format_dataset(role, summary))
        for title, text in format_findings(summary):
            _print_titled(title, text)
        if shared := report.shared.get(role):
            _print_titled("in train", f"{shared:,} images have the pixels of one of the training set")
    if (spec := report.suggested_spec) is not None:
        view = next(step for step in spec["views"][0]["augment"] if "size" in step)
        _print("suggested recipe")
        _print_titled(
            "spec", f"{spec['extends']}, data.channels {spec['data']['channels']}, views of {view['size']} pixels"
        )
        _print_titled("consider", "\n".join(report.advice))


def _print_next_steps(target: str, out: Path | None) -> None:
    file = "mine.yaml" if out is None else shlex.quote(str(out))
    _print("")
    _print("next:")
    if out is None:
        _print(f"  sslreg data {shlex.quote(target)} --out {file}")
    _print(f"  sslreg preview {file}")
    _print(f"  sslreg train {file}")


def _print_titled(title: str, text: str) -> None:
    first, *others = text.split("\n")
    _print(f"  {title:<12} {first}")
    for line in others:
        _print(f"  {'':<12} {line}")


def _print(text: str) -> None:
    typer.echo(sslreg.escape_text(text))


@contextmanager
def _show_progress(count: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error if it is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("images"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("images", total=count)
        yield lambda finished: bar.update(task, completed=finished)
