"""What several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

SpecName = Annotated[str, typer.Argument(metavar="SPEC", help="A YAML spec, or the name of a shipped one.")]

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the spec: --set data.batch_size=128."),
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
