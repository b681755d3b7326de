"""sslreg embed"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from sslreg.cli.output import stdout
from sslreg.errors import SslregError, UserError


class Split(StrEnum):
    train = "train"
    reference = "reference"
    test = "test"


def embed(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.npz", help="The file to write.")],
    split: Annotated[Split, typer.Option("--split", help="Which of the spec's data sets to embed.")] = Split.test,
) -> None:
    """Embed a data set with a run's backbone: embeddings, targets, indices and names as a NumPy archive."""
    if out.suffix != ".npz":
        raise UserError(f"--out {out}: the file's name has to end in .npz", code="bad-argument")
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}", code="bad-argument")

    import numpy as np

    from sslreg.training import embed_split, load_run

    embedded = embed_split(load_run(run), split.value)
    arrays: dict[str, Any] = {
        "embeddings": embedded.features.numpy(),
        "indices": embedded.indices.numpy(),
        "names": np.array(embedded.names),
    }
    if embedded.targets is not None:
        arrays["targets"] = embedded.targets.numpy()
    try:
        np.savez(out, **arrays)
    except OSError as error:
        raise SslregError(f"{out} cannot be written: {error.strerror}") from error
    rows, width = embedded.features.shape
    stdout.print(f"{out}: {rows} embeddings of width {width}", highlight=False)
