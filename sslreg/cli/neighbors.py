"""The command ``sslreg neighbors``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from sslreg.cli.console import print_json, stdout
from sslreg.cli.options import Json, OtherData, RunFolder, Split
from sslreg.errors import SslregError, UserError

if TYPE_CHECKING:
    from sslreg.export.data_selection import SelectedData
    from sslreg.export.neighbor_query import Neighbor, Query
    from sslreg.export.patch_query import Patch, PatchNeighbor
    from sslreg.report.contact_sheet import Tile
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
    patch: Annotated[
        str | None,
        typer.Option(
            "--patch", metavar="ROW,COLUMN", help="Search patches instead: those nearest to this patch of IMAGE."
        ),
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(
            "--embeddings",
            metavar="FILE",
            help="Embeddings of the same images by 'sslreg embed', to save time; for --patch, by its --patches.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Also write the images to an image (.png) or a page (.html)."),
    ] = None,
    json: Json = False,
) -> None:
    """Show the nearest neighbors of an image, or of a patch of it."""
    if out is not None and (out.suffix.lower() not in SUFFIXES or not out.parent.is_dir()):
        raise UserError(
            f"--out {out}: the name has to end in .png or .html, in a folder that exists", code="bad-argument"
        )
    from sslreg.export.data_selection import select_data
    from sslreg.export.neighbor_query import parse_query
    from sslreg.runs import load_run

    loaded = load_run(run)
    query = parse_query(loaded, image)
    if patch is None:
        selected = select_data(loaded, split.value, data)
        nearest = _search_images(loaded, query, selected, count, embeddings, own=data is None)
        if out is not None:
            tiles = _make_tiles(loaded, query, selected, nearest)
            _write_tiles(out, f"Nearest to {image} by {loaded.spec.name}", tiles)
        _print_neighbors(query, nearest, json)
    else:
        from sslreg.export.patch_query import parse_patch

        searched = parse_patch(loaded, query, patch)
        selected = select_data(loaded, split.value, data)
        patches = _search_patches(loaded, query, searched, selected, count, embeddings, own=data is None)
        if out is not None:
            tiles = _make_patch_tiles(loaded, query, searched, selected, patches)
            _write_tiles(out, f"Nearest to patch {patch} of {image} by {loaded.spec.name}", tiles)
        _print_patches(query, searched, patches, json)
    if out is not None and not json:
        stdout.print(f"{out}: the images")


def _search_images(
    run: Run, query: Query, data: SelectedData, count: int, embeddings: Path | None, *, own: bool
) -> list[Neighbor]:
    from sslreg.export.embedding_reader import read_embeddings
    from sslreg.export.neighbor_query import find_neighbors
    from sslreg.runs.run_evaluation import embed_samples

    known = embed_samples(run, data.samples) if embeddings is None else read_embeddings(embeddings)
    return find_neighbors(run, query, data, known, count, own=own)


def _search_patches(
    run: Run, query: Query, patch: Patch, data: SelectedData, count: int, embeddings: Path | None, *, own: bool
) -> list[PatchNeighbor]:
    from sslreg.export.embedding_reader import stream_patches
    from sslreg.export.patch_query import find_patch_neighbors
    from sslreg.runs.run_evaluation import embed_patches

    parts = embed_patches(run, data.samples) if embeddings is None else stream_patches(embeddings)
    return find_patch_neighbors(query, patch, data, parts, count, own=own)


def _print_neighbors(query: Query, nearest: Sequence[Neighbor], json: bool) -> None:
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


def _print_patches(query: Query, patch: Patch, nearest: Sequence[PatchNeighbor], json: bool) -> None:
    if json:
        place = {"row": patch.row, "column": patch.column, "grid": patch.grid}
        found = [_neighbor_json(one) | {"row": one.row, "column": one.column} for one in nearest]
        print_json({"query": {"name": query.name, "class": query.label, **place}, "neighbors": found})
        return
    table = Table("", "name", "class", "patch", "similarity")
    table.add_row("", Text(query.name), Text(query.label or ""), f"{patch.row},{patch.column}", "")
    table.add_section()
    for number, one in enumerate(nearest, start=1):
        name, label = Text(one.name), Text(one.label or "")
        table.add_row(str(number), name, label, f"{one.row},{one.column}", f"{one.similarity:.3f}")
    stdout.print(table)


def _neighbor_json(neighbor: Neighbor) -> dict[str, Any]:
    return {
        "index": neighbor.index,
        "name": neighbor.name,
        "class": neighbor.label,
        "similarity": neighbor.similarity,
    }


def _make_tiles(run: Run, query: Query, data: SelectedData, nearest: Sequence[Neighbor]) -> list[Tile]:
    from sslreg.assembly import build_image_loader
    from sslreg.export.data_selection import read_image
    from sslreg.report.contact_sheet import make_tile

    load = build_image_loader(run.spec)
    tiles = [make_tile(query.image, load, query.name, query.label or "")]
    for neighbor in nearest:
        caption = _caption(neighbor.label, f"{neighbor.similarity:.3f}")
        tiles.append(make_tile(read_image(data.samples, neighbor.index), load, neighbor.name, caption))
    return tiles


def _make_patch_tiles(
    run: Run, query: Query, patch: Patch, data: SelectedData, nearest: Sequence[PatchNeighbor]
) -> list[Tile]:
    from sslreg.export.data_selection import read_image
    from sslreg.report.embedding_views import make_patch_tile

    place = (patch.row, patch.column)
    caption = _caption(query.label, f"patch {patch.row},{patch.column}")
    tiles = [make_patch_tile(run.spec, query.image, place, patch.grid, query.name, caption)]
    for one in nearest:
        image, place = read_image(data.samples, one.index), (one.row, one.column)
        caption = _caption(one.label, f"patch {one.row},{one.column}", f"{one.similarity:.3f}")
        tiles.append(make_patch_tile(run.spec, image, place, one.grid, one.name, caption))
    return tiles


def _caption(*parts: str | None) -> str:
    """Join the parts of a caption that are not empty."""
    return " · ".join(part for part in parts if part)


def _write_tiles(out: Path, title: str, tiles: Sequence[Tile]) -> None:
    from sslreg.report.contact_sheet import write_contact_sheet

    try:
        write_contact_sheet(out, title, tiles)
    except OSError as error:
        raise SslregError(f"{out} cannot be written: {error.strerror or error}", code="unwritable") from error
