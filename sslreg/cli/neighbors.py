"""The command ``sslreg neighbors``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from sslreg.cli.console import print_json, stdout
from sslreg.cli.options import Json, OtherData, RunFolder, Split
from sslreg.errors import SslregError, UserError

if TYPE_CHECKING:
    from sslreg.export.data_selection import SelectedData
    from sslreg.export.neighbor_query import Neighbor, Query
    from sslreg.runs import Run

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".html", ".htm")


def neighbors(
    run: RunFolder,
    image: Annotated[
        str, typer.Argument(metavar="IMAGE", help="An image file, or an image of the run's data: test:17.")
    ],
    split: Annotated[Split, typer.Option("--split", help="The data set to search.")] = Split.test,
    data: OtherData = None,
    count: Annotated[int, typer.Option("-k", min=1, help="The number of neighbors.")] = 9,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            "--embeddings", metavar="FILE", help="Embeddings of the same images by 'sslreg embed', to save time."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Also write the images to an image (.png) or a page (.html)."),
    ] = None,
    json: Json = False,
) -> None:
    """Show the nearest neighbors of an image by a run's features."""
    if out is not None and (out.suffix.lower() not in SUFFIXES or not out.parent.is_dir()):
        raise UserError(
            f"--out {out}: the name has to end in .png or .html, in a folder that exists", code="bad-argument"
        )
    from sslreg.export.data_selection import select_data
    from sslreg.export.embedding_reader import read_embeddings
    from sslreg.export.neighbor_query import find_neighbors, parse_query
    from sslreg.runs import load_run
    from sslreg.runs.run_evaluation import embed_samples

    loaded = load_run(run)
    query = parse_query(loaded, image)
    selected = select_data(loaded, split.value, data)
    known = embed_samples(loaded, selected.samples) if embeddings is None else read_embeddings(embeddings)
    nearest = find_neighbors(loaded, query, selected, known, count, own=data is None)
    if out is not None:
        _write_images(out, f"Nearest to {image} by {loaded.spec.name}", loaded, query, selected, nearest)
    if json:
        query_json = {"name": query.name, "class": query.label}
        print_json({"query": query_json, "neighbors": [_neighbor_json(neighbor) for neighbor in nearest]})
        return
    table = Table("", "name", "class", "similarity")
    table.add_row("", Text(query.name), Text(query.label or ""), "")
    table.add_section()
    for number, neighbor in enumerate(nearest, start=1):
        table.add_row(str(number), Text(neighbor.name), Text(neighbor.label or ""), f"{neighbor.similarity:.3f}")
    stdout.print(table)
    if out is not None:
        stdout.print(f"{out}: the images")


def _neighbor_json(neighbor: Neighbor) -> dict[str, object]:
    values = asdict(neighbor)
    return {"class" if name == "label" else name: value for name, value in values.items()}


def _write_images(out: Path, title: str, run: Run, query: Query, data: SelectedData, nearest: list[Neighbor]) -> None:
    from sslreg.assembly import build_image_loader
    from sslreg.export.data_selection import read_image
    from sslreg.report.contact_sheet import make_tile, write_contact_sheet

    load = build_image_loader(run.spec)
    tiles = [make_tile(query.image, load, query.name, query.label or "")]
    for neighbor in nearest:
        caption = " · ".join(part for part in (neighbor.label, f"{neighbor.similarity:.3f}") if part)
        tiles.append(make_tile(read_image(data.samples, neighbor.index), load, neighbor.name, caption))
    try:
        write_contact_sheet(out, title, tiles)
    except OSError as error:
        raise SslregError(f"{out} cannot be written: {error.strerror or error}", code="unwritable") from error
