"""The report of one or several runs: collects what their folders and their data say, and renders the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sslreg.atomic_files import write_text
from sslreg.report.charts import Chart
from sslreg.report.curve_charts import curve_charts
from sslreg.report.embedded_images import EmbeddedImages, Gallery, Picture, embed_images
from sslreg.report.embedding_map import EmbeddingMap, Sprite, make_sprite, map_embeddings
from sslreg.report.html_pages import load_script, render_page
from sslreg.report.invariance_profile import InvarianceProfile, build_profile, invariance_metrics, list_subjects
from sslreg.report.label_curves import label_curves
from sslreg.report.nearest_images import Query, find_neighbors
from sslreg.report.output_path import PAGES, check_output_path
from sslreg.report.patch_pictures import PatchPicture, draw_patches
from sslreg.report.reported_runs import ReportedRun, read_runs
from sslreg.report.spectrum import spectrum_chart
from sslreg.report.tables import comparison_table, differences_table, evaluation_table, summary_table, versions_table
from sslreg.report.unavailable import Unavailable, catch_unavailable
from sslreg.report.view_preview import Preview, preview
from sslreg.spec import Spec

#: The number of images whose views are shown.
_PREVIEWED = 4

#: The largest size of all thumbnails together, in bytes. It keeps a report of 2,000 images below 5 MB.
_THUMBNAILS = 2_500_000


@dataclass(frozen=True)
class EmbeddingsSection:
    """The embeddings of a run.

    Attributes:
        images: The images and their features.
        map: The images in the plane, by their trained features.
        queries: Some images and their nearest neighbors.
    """

    images: EmbeddedImages
    map: EmbeddingMap
    queries: list[Query]


def write_report(runs: Sequence[str | Path], out: str | Path) -> None:
    """Write one HTML file that shows runs and what they learned, side by side if there are several.

    If a run's data is missing, the parts that need it (views, map, neighbors) are left out, with the reason.

    Args:
        runs: The folders of the runs.
        out: The file.

    Raises:
        UserError: A folder is not the folder of a run, or `out` does not end in .html or its folder does not exist.
        SslregError: The file cannot be written.
    """
    path = Path(out)
    check_output_path(path, PAGES, ".html")
    write_text(path, render_report(runs))


def render_report(paths: Sequence[str | Path]) -> str:
    """Render the document that `write_report` writes."""
    runs = read_runs(paths)
    gallery = Gallery()
    embeddings = [catch_unavailable(partial(_embeddings_section, run, gallery)) for run in runs]
    collections = _add_sprites(gallery)
    return render_page(
        "report.html",
        runs=runs,
        name=", ".join(dict.fromkeys(run.run.spec.name for run in runs)),
        summary=summary_table(runs),
        evaluation=evaluation_table(runs),
        comparison=comparison_table(runs),
        label_curves=label_curves(runs),
        curves=curve_charts(runs),
        previews=_previews(runs),
        embeddings=list(zip(runs, embeddings, strict=True)),
        patches=[
            (run, catch_unavailable(partial(_patch_pictures, run, section)))
            for run, section in zip(runs, embeddings, strict=True)
        ],
        collections=collections,
        data=[_script_data(number, *collection) for number, collection in enumerate(collections)],
        spectrum=_spectrum(runs, embeddings),
        invariance=_invariance(runs),
        differences=differences_table(runs),
        versions=versions_table(runs),
        script=load_script("chart_readout.js") + load_script("report.js"),
    )


def _previews(runs: Sequence[ReportedRun]) -> list[tuple[list[str], Preview | Unavailable]]:
    """Make a preview of each distinct way to make views, with the labels of its runs."""
    labels: dict[str, list[str]] = {}
    specs: dict[str, Spec] = {}
    for run in runs:
        sections = run.run.spec.to_dict()
        key = repr([sections.get(section) for section in ("data", "views", "embed_view", "seed")])
        labels.setdefault(key, []).append(run.label)
        specs.setdefault(key, run.run.spec)
    return [(labels[key], catch_unavailable(partial(preview, spec, _PREVIEWED))) for key, spec in specs.items()]


def _embeddings_section(run: ReportedRun, gallery: Gallery) -> EmbeddingsSection:
    images = embed_images(run.run, gallery)
    labels = [picture.label for picture in images.pictures]
    return EmbeddingsSection(images, map_embeddings(images.trained, labels), find_neighbors(images))


def _patch_pictures(run: ReportedRun, section: EmbeddingsSection | Unavailable) -> list[PatchPicture] | None:
    """Draw the patches of the images whose neighbors are shown. Return None without such images or without patches."""
    if isinstance(section, Unavailable):
        return None
    return draw_patches(run.run, section.images.split, [query.picture for query in section.queries])


def _add_sprites(gallery: Gallery) -> list[tuple[list[Picture], Sprite]]:
    share = _THUMBNAILS // max(1, len(gallery.collections))
    return [(collection, make_sprite(collection, share)) for collection in gallery.collections]


def _script_data(number: int, collection: list[Picture], sprite: Sprite) -> dict[str, Any]:
    """Return what the page's script needs of a collection."""
    return {
        "names": [picture.name for picture in collection],
        "labels": [picture.label for picture in collection],
        "number": number,
        "side": sprite.side,
        "columns": sprite.columns,
        "rows": sprite.rows,
    }


def _spectrum(runs: Sequence[ReportedRun], sections: Sequence[EmbeddingsSection | Unavailable]) -> Chart | Unavailable:
    features = {}
    for run, section in zip(runs, sections, strict=True):
        if isinstance(section, EmbeddingsSection):
            features[f"{run.label}, trained", f"run-{run.number}"] = section.images.trained
            images = section.images
            features[f"{run.label}, {images.initial_subject}", f"run-{run.number} dashed"] = images.initial
    if not features:
        return Unavailable("there are no embeddings")
    return spectrum_chart(features)


def _invariance(runs: Sequence[ReportedRun]) -> tuple[InvarianceProfile | None, list[tuple[str, Unavailable]]]:
    """Return the profile of the runs that have one, and the reasons why the others have none."""
    results = [(run, invariance_metrics(run)) for run in runs]
    available = [(run, metrics) for run, metrics in results if not isinstance(metrics, Unavailable)]
    unavailable = [(run.label, metrics) for run, metrics in results if isinstance(metrics, Unavailable)]
    return (build_profile(list_subjects(available)) if available else None), unavailable
