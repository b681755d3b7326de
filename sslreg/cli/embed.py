"""The command ``sslreg embed``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sslreg.cli.console import progress, stderr, stdout
from sslreg.cli.options import OtherData, RunFolder, Split
from sslreg.metric_names import format_count


def embed(
    run: RunFolder,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write: E.npz or E.parquet.")],
    split: Annotated[Split, typer.Option("--split", help="The data set of the spec to embed.")] = Split.test,
    data: OtherData = None,
    patches: Annotated[
        bool, typer.Option("--patches", help="Write the features of the patches of each image instead.")
    ] = False,
) -> None:
    """Embed a data set with a run's backbone.

    The name of the file determines its format: a NumPy archive or a Parquet file. If the command is interrupted, run it
    again: it resumes after the last complete part.
    """
    from sslreg.evaluation import abbreviate_list
    from sslreg.export.data_selection import select_data
    from sslreg.export.embedding_writer import require_format, write_embeddings
    from sslreg.runs import load_run
    from sslreg.runs.run_evaluation import select_device

    require_format(out)
    loaded = load_run(run)
    selected = select_data(loaded, split.value, data)
    with progress(len(selected.samples), "images") as update:
        file = write_embeddings(loaded, selected, out, device=select_device(), patches=patches, on_progress=update)
    if file.resumed:
        stderr.print(f"resumed after {format_count(file.resumed, 'image')}", style="dim")
    if file.skipped:
        skipped = f"{format_count(len(file.skipped), 'image')}: {abbreviate_list(file.skipped)}"
        stderr.print(f"left out unreadable images: {skipped}", style="yellow")
    if file.grid is None:
        stdout.print(f"{out}: {format_count(file.rows, 'embedding')} of width {file.width}")
    else:
        rows, columns = file.grid
        images = format_count(file.rows, "image")
        stdout.print(f"{out}: the patches of {images}, {rows}x{columns} each, of width {file.width}")
