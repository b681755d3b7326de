"""What several commands take."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

SpecName = Annotated[str, typer.Argument(metavar="SPEC", help="A YAML spec, or the name of a shipped one.")]

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the spec: --set data.batch_size=128."),
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Split(StrEnum):
    """The data sets that a spec can name."""

    train = "train"
    reference = "reference"
    test = "test"


OtherData = Annotated[
    str | None,
    typer.Option("--data", metavar="FOLDER|SPEC", help="Other images: a folder, or this spec's data set of the split."),
]
