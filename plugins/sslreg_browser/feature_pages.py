"""The pages of features: the map, the nearest images, and the endpoints behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

import sslreg
from sslreg_browser.area import Area
from sslreg_browser.feature_index import FeatureIndex, encode_picture
from sslreg_browser.index_builds import IndexBuild, IndexBuilds
from sslreg_browser.live_profile import ProfileAspect, augment_image, list_aspects, measure_distances
from sslreg_browser.patch_similarity import ImagePatches
from sslreg_browser.query_images import QueryImage, QueryImages
from sslreg_browser.requests import read_integer, read_json, render
from sslreg_browser.work_queue import run_quick, run_slow
from sslreg_browser.workspace import Workspace

#: The number of neighbors that are shown of an image, by each of the features.
NEIGHBORS = 8

#: The side of the picture of a chosen image, in pixels.
_SIDE = 256

#: How the page calls features.
SUBJECTS = {"raw_pixels": "raw pixels"}


def build_feature_area(workspace: Workspace) -> Area | None:
    """Return the area of features; None without runs."""
    if workspace.runs is None and workspace.run is None:
        return None
    pages = FeaturePages(workspace)
    api = "/api/features/{run:int}"
    return Area(
        "Features",
        "/features",
        [
            Route("/features", pages.list_runs),
            Route("/features/{run:int}", pages.show_run),
            Route(api, pages.send_status),
            Route(api, pages.start_build, methods=["POST"]),
            Route(f"{api}/map", pages.send_map),
            Route(f"{api}/thumbnails/{{row:int}}", pages.send_thumbnail),
            Route(f"{api}/images", pages.add_image, methods=["POST"]),
            Route(f"{api}/images/{{image}}", pages.send_picture),
            Route(f"{api}/images/{{image}}/neighbors", pages.send_neighbors),
            Route(f"{api}/aspects", pages.send_aspects),
            Route(f"{api}/images/{{image}}/augmented", pages.send_augmented),
            Route(f"{api}/images/{{image}}/patches", pages.send_patches),
            Route(f"{api}/images/{{image}}/similarities", pages.send_similarities),
        ],
        pages.close,
    )


class FeaturePages:
    """The endpoints of the area.

    Args:
        workspace: What is browsed.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._builds = IndexBuilds(workspace.embedded)

    def close(self) -> None:
        """End the builds in the background soon."""
        self._builds.close()

    async def list_runs(self, request: Request) -> Response:
        if self._workspace.run is not None:
            number = self._workspace.run_numbers.number(self._workspace.run)
            return RedirectResponse(f"/features/{number}", 303)
        runs = await run_quick(request, self._find_runs)
        return render(request, "feature_runs.html", runs=runs)

    async def show_run(self, request: Request) -> Response:
        path = self._path(request)
        run = await run_quick(request, sslreg.load_run, path)
        number = read_integer(request, "run")
        return render(request, "features.html", number=number, name=run.spec.name, label=self._label(path))

    async def send_status(self, request: Request) -> Response:
        build = self._builds.find(self._path(request))
        return JSONResponse(_describe_build(build))

    async def start_build(self, request: Request) -> Response:
        anew = bool((await read_json(request)).get("anew", False))
        return JSONResponse(_describe_build(self._builds.start(self._path(request), anew=anew)))

    async def send_map(self, request: Request) -> Response:
        images = self._images(request)
        return JSONResponse(await run_quick(request, _describe_map, images.index))

    async def send_thumbnail(self, request: Request) -> Response:
        index = self._images(request).index
        row = read_integer(request, "row", high=len(index) - 1)
        return _picture_response(index.thumbnails[row])

    async def send_picture(self, request: Request) -> Response:
        """Send the picture of a chosen image: the prepared image, larger than a thumbnail."""
        images = self._images(request)
        image = images.find(request.path_params["image"])
        prepared = await run_quick(request, images.prepare, image)
        return _picture_response(encode_picture(sslreg.to_pil_image(prepared), _SIDE))

    async def send_neighbors(self, request: Request) -> Response:
        images = self._images(request)
        image = images.find(request.path_params["image"])
        return JSONResponse(await run_quick(request, _describe_neighbors, images.index, image))

    async def add_image(self, request: Request) -> Response:
        images = self._images(request)
        content = await request.body()
        image = await run_slow(request, images.add, content, request.query_params.get("name", ""))
        return JSONResponse(await run_quick(request, _describe_neighbors, images.index, image))

    async def send_aspects(self, request: Request) -> Response:
        aspects = await run_quick(request, self._list_aspects, self._images(request))
        return JSONResponse(
            [
                {"title": one.title, "has_strength": one.has_strength, "invariances": one.info.invariances}
                for one in aspects
            ]
        )

    async def send_augmented(self, request: Request) -> Response:
        """Send pictures of an image after an augmentation, and how far its features move.

        The query has the number of the ``aspect`` in the answer of `send_aspects`, and the ``strength`` in percent.
        """
        images = self._images(request)
        image = images.find(request.path_params["image"])
        aspects = await run_quick(request, self._list_aspects, images)
        aspect = aspects[read_integer(request, "aspect", high=len(aspects) - 1)]
        strength = read_integer(request, "strength", high=100) / 100
        return JSONResponse(await run_quick(request, _describe_augmented, images, image, aspect, strength))

    async def send_patches(self, request: Request) -> Response:
        """Send the principal components of the patches of an image and of its nearest neighbors."""
        images = self._images(request)
        image = images.find(request.path_params["image"])
        patches = await run_quick(request, images.encode_patches, image)
        return JSONResponse(await run_quick(request, _describe_patches, patches))

    async def send_similarities(self, request: Request) -> Response:
        """Send the similarities of all patches to the one in the ``row`` and the ``column`` of the query."""
        images = self._images(request)
        image = images.find(request.path_params["image"])
        patches = await run_quick(request, images.encode_patches, image)
        rows, columns = patches.grid
        row, column = read_integer(request, "row", high=rows - 1), read_integer(request, "column", high=columns - 1)
        return JSONResponse(
            {
                subject: [[round(value, 4) for value in one] for one in own.flatten(1).tolist()]
                for subject, own in patches.similarities(row, column).items()
            }
        )

    def _list_aspects(self, images: QueryImages) -> list[ProfileAspect]:
        channels, height, width = images.prepare(images.find("0")).shape
        return list_aspects((channels, height, width))

    def _find_runs(self) -> list[dict[str, Any]]:
        assert self._workspace.runs is not None
        index = sslreg.RunIndex(self._workspace.runs)
        index.refresh()
        records = sorted((one.record for one in index.runs.values()), key=lambda one: one.started, reverse=True)
        return [
            {
                "number": self._workspace.run_numbers.number(record.path),
                "label": self._label(record.path),
                "state": record.state,
            }
            for record in records
        ]

    def _label(self, path: Path) -> str:
        root = self._workspace.runs
        return str(path.relative_to(root)) if root and path != root and path.is_relative_to(root) else path.name

    def _path(self, request: Request) -> Path:
        return self._workspace.run_numbers.path(read_integer(request, "run"))

    def _images(self, request: Request) -> QueryImages:
        build = self._builds.find(self._path(request))
        if build is None or build.images is None:
            raise sslreg.UserError("the images are not embedded yet", hint="wait, or reload the page", code="not-found")
        return build.images


def _picture_response(content: bytes) -> Response:
    return Response(content, media_type="image/png" if content.startswith(b"\x89PNG") else "image/webp")


def _describe_build(build: IndexBuild | None) -> dict[str, Any]:
    if build is None:
        return {"stage": "none"}
    return {
        "stage": build.stage,
        "done": build.done,
        "total": build.total,
        "error": sslreg.escape_text(build.error),
        "has_map": build.images is not None,
        "has_patches": build.images is not None and build.images.encoder.has_patches,
        "is_outdated": build.stage == "ready" and build.is_outdated,
    }


def _describe_map(index: FeatureIndex) -> dict[str, Any]:
    made = index.map
    assert made is not None  # an index is published with a map
    return {
        "points": [number for point in made.points for number in point],
        "classes": [
            {"name": None if name is None else sslreg.escape_text(name), "rows": rows, "mark": made.mark(number)}
            for number, (name, rows) in enumerate(made.classes)
        ],
        "names": list(map(sslreg.escape_text, index.names)),
        "note": f"The map shows {index.description}. {made.method}",
        "unreadable": [sslreg.escape_text(f"{name}: {reason}") for name, reason in index.unreadable[:20]],
        "unreadable_count": len(index.unreadable),
    }


def _describe_neighbors(index: FeatureIndex, image: QueryImage) -> dict[str, Any]:
    return {
        "key": image.key,
        "row": image.row,
        "name": sslreg.escape_text(image.name),
        "label": None if image.label is None else sslreg.escape_text(image.label),
        "subjects": [
            {
                "name": subject,
                "title": SUBJECTS.get(subject, subject),
                "neighbors": [[neighbor.row, neighbor.similarity] for neighbor in neighbors],
            }
            for subject, neighbors in index.find_neighbors(image.features, NEIGHBORS, image.row).items()
        ],
    }


def _describe_augmented(
    images: QueryImages, image: QueryImage, aspect: ProfileAspect, strength: float
) -> dict[str, Any]:
    augmented = augment_image(images, image, aspect, strength)
    return {
        "pictures": [sslreg.data_uri(sslreg.to_pil_image(one)) for one in augmented],
        "subjects": [
            {"title": SUBJECTS.get(one.subject, one.subject), **vars(one)}
            for one in measure_distances(images, image, augmented)
        ],
    }


def _describe_patches(patches: ImagePatches) -> dict[str, Any]:
    rows, columns = patches.grid
    return {
        "rows": rows,
        "columns": columns,
        "keys": patches.keys,
        "subjects": [
            {"name": subject, "pictures": [sslreg.data_uri(sslreg.to_pil_image(one)) for one in colors]}
            for subject, colors in patches.color_components().items()
        ],
    }
