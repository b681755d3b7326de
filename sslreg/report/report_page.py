"""The report of one or several runs: gathers what their folders and their data tell, and fills the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sslreg.atomic_files import write_text
from sslreg.metric_names import INTERVAL
from sslreg.report.charts import Chart, chart
from sslreg.report.embedded_images import EmbeddedImages, Gallery, Picture, embedded_images
from sslreg.report.embedding_map import EmbeddingMap, Sprite, embedding_map, sprite
from sslreg.report.html_pages import page, script
from sslreg.report.invariance_profile import Profile, profile, with_invariance
from sslreg.report.nearest_images import Query, find_neighbors
from sslreg.report.output_path import PAGES, check_place
from sslreg.report.reported_runs import ReportedRun, reported
from sslreg.report.spectrum import spectrum_chart
from sslreg.report.tables import differences_table, evaluation_table, summary_table, versions_table
from sslreg.report.unavailable import Missing, attempt
from sslreg.report.view_preview import Preview, preview
from sslreg.spec import Spec

#: Images whose views are shown.
_VIEWED = 4

#: Bytes that all thumbnails together may take; with it a report of 2,000 images stays under 5 MB.
_THUMBNAILS = 2_500_000


@dataclass(frozen=True)
class Mapped:
    """A run's images: where they lie by their trained features, and what is nearest to some of them."""

    images: EmbeddedImages
    map: EmbeddingMap
    queries: list[Query]


def write_report(runs: Sequence[str | Path], out: str | Path) -> None:
    """Write one HTML file that shows what runs are and what they learned, side by side if they are several.

    runs: their folders. What a run's data is needed for (views, map, neighbors) is left out with the reason where the
    data is gone. UserError: a folder is no run's, or `out` does not end in .html or lies in no folder. SslregError: it
    cannot be written.
    """
    path = Path(out)
    check_place(path, PAGES, ".html")
    text = report_page(runs)
    write_text(path, text)


def report_page(paths: Sequence[str | Path]) -> str:
    """The document that `write_report` writes."""
    runs = reported(paths)
    gallery = Gallery()
    mapped = [attempt(partial(_mapped, run, gallery)) for run in runs]
    collections = _with_sprites(gallery)
    return page(
        "report.html",
        runs=runs,
        name=", ".join(dict.fromkeys(run.run.spec.name for run in runs)),
        summary=summary_table(runs),
        evaluation=evaluation_table(runs),
        curves=_curves(runs),
        views=_views(runs),
        mapped=list(zip(runs, mapped, strict=True)),
        collections=collections,
        data=[_data(number, *collection) for number, collection in enumerate(collections)],
        spectrum=_spectrum(runs, mapped),
        invariance=_invariance(runs),
        differences=differences_table(runs),
        versions=versions_table(runs),
        script=script("report.js"),
    )


def _curves(runs: Sequence[ReportedRun]) -> list[Chart] | Missing:
    """A chart of each figure that was measured more than once; the others are numbers, which the tables have."""
    names = dict.fromkeys(
        name for run in runs for name, curve in run.curves.items() if len(curve) > 1 and not name.endswith(INTERVAL)
    )
    if not names:
        return Missing("metrics.csv holds no figure that was measured more than once")
    first = [name for name in ("loss", "lr") if name in names]
    return [
        chart(
            name,
            {(run.label, f"run-{run.number}"): run.curves[name] for run in runs if name in run.curves},
            "step",
            low=0.0 if name == "lr" else None,
        )
        for name in (*first, *(name for name in names if name not in first))
    ]


def _views(runs: Sequence[ReportedRun]) -> list[tuple[list[str], Preview | Missing]]:
    """A preview of each different way to make views, with the labels of the runs that have it."""
    labels: dict[str, list[str]] = {}
    specs: dict[str, Spec] = {}
    for run in runs:
        resolved = run.run.spec.to_dict()
        key = repr([resolved.get(section) for section in ("data", "views", "embed_view", "seed")])
        labels.setdefault(key, []).append(run.label)
        specs.setdefault(key, run.run.spec)
    return [(labels[key], attempt(partial(preview, spec, _VIEWED))) for key, spec in specs.items()]


def _mapped(run: ReportedRun, gallery: Gallery) -> Mapped:
    images = embedded_images(run.run, gallery)
    return Mapped(images, embedding_map(images), find_neighbors(images))


def _with_sprites(gallery: Gallery) -> list[tuple[list[Picture], Sprite]]:
    share = _THUMBNAILS // max(1, len(gallery.collections))
    return [(collection, sprite(collection, share)) for collection in gallery.collections]


def _data(number: int, collection: list[Picture], made: Sprite) -> dict[str, Any]:
    """What the page's script has to know of a collection."""
    return {
        "names": [picture.name for picture in collection],
        "labels": [picture.label for picture in collection],
        "number": number,
        "side": made.side,
        "columns": made.columns,
        "rows": made.rows,
    }


def _spectrum(runs: Sequence[ReportedRun], mapped: Sequence[Mapped | Missing]) -> Chart | Missing:
    features = {}
    for run, entry in zip(runs, mapped, strict=True):
        if isinstance(entry, Mapped):
            features[f"{run.label}, trained", f"run-{run.number}"] = entry.images.trained
            features[f"{run.label}, untrained", f"run-{run.number} dashed"] = entry.images.untrained
    if not features:
        return Missing("there are no embeddings")
    return spectrum_chart(features)


def _invariance(runs: Sequence[ReportedRun]) -> tuple[Profile | None, list[tuple[str, Missing]]]:
    """The profile of the runs that have one, and why the others have none."""
    found = [(run, with_invariance(run)) for run in runs]
    known = [(run, figures) for run, figures in found if not isinstance(figures, Missing)]
    missing = [(run.label, figures) for run, figures in found if isinstance(figures, Missing)]
    return (profile(known) if known else None), missing
