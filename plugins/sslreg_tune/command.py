"""sslreg tune"""

from __future__ import annotations

from typing import Annotated

import typer


def tune(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A YAML spec, or the name of a shipped one.")],
) -> None:
    """Choose invariances and other values of a spec by measuring."""
    raise NotImplementedError(spec)
