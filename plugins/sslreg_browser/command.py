"""sslreg browse"""

from __future__ import annotations

from typing import Annotated

import typer


def browse(
    target: Annotated[
        str, typer.Argument(metavar="SPEC|RUN|FOLDER", help="A spec, a run, or a folder of runs.")
    ] = "runs",
) -> None:
    """Look at views, runs and features on a local page."""
    raise NotImplementedError(target)
