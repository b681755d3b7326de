"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

SpecName = Annotated[str, typer.Argument(metavar="SPEC", help="A spec file, or the name of a shipped spec.")]

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the spec: --set data.batch_size=128."),
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Split(StrEnum):
    """The data sets of a spec."""

    train = "train"
    reference = "reference"
    test = "test"


OtherData = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="FOLDER|SPEC", help="Use other images: a folder, or the same data set of another spec."
    ),
]
