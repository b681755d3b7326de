"""sslreg embed"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sslreg.cli.console import progress, stderr, stdout
from sslreg.cli.options import OtherData, Split
from sslreg.metric_names import format_count


def embed(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write: E.npz or E.parquet.")],
    split: Annotated[Split, typer.Option("--split", help="Which of the spec's data sets to embed.")] = Split.test,
    data: OtherData = None,
) -> None:
    """Embed a data set with a run's backbone.

    The file is a NumPy archive or a Parquet file, by its name. Cut off and started again, it goes on where it was.
    """
    from sslreg.evaluation import abbreviate_list
    from sslreg.export.data_selection import select_data
    from sslreg.export.embedding_writer import require_format, write_embeddings
    from sslreg.runs.run_evaluation import best_device
    from sslreg.training import load_run

    require_format(out)
    loaded = load_run(run)
    chosen = select_data(loaded, split.value, data)
    with progress(len(chosen.samples), "images") as done:
        written = write_embeddings(loaded, chosen, out, device=best_device(), on_progress=done)
    if written.resumed:
        stderr.print(f"went on after {format_count(written.resumed, 'image')} embedded before", style="dim")
    if written.skipped:
        left_out = f"{format_count(len(written.skipped), 'image')}: {abbreviate_list(written.skipped)}"
        stderr.print(f"left out because it cannot be read: {left_out}", style="yellow", markup=False)
    stdout.print(f"{out}: {format_count(written.rows, 'embedding')} of width {written.width}", highlight=False)
