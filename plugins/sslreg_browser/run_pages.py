"""The area of runs: a table that changes while runs train, and pages of one or several runs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

import sslreg
from sslreg_browser.area import Area
from sslreg_browser.live_region import Changes, LiveRegion
from sslreg_browser.requests import render
from sslreg_browser.run_details import MAX_RUNS, RunDetails
from sslreg_browser.run_feed import RunFeed
from sslreg_browser.run_list import RunList, RunQuery, list_paths
from sslreg_browser.work_queue import run_quick
from sslreg_browser.workspace import Workspace

#: The number of regions that are kept. A client of another one gets its whole content again.
_KEPT = 16

#: A study's page is one file with everything in it, which others may have written. In a sandbox, its scripts cannot
#: reach this server.
_STUDY_POLICY = "; ".join(
    (
        "sandbox allow-scripts",
        "default-src 'none'",
        "script-src 'unsafe-inline'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "frame-ancestors 'none'",
    )
)


class RunPages:
    """The pages and endpoints of runs.

    Args:
        feed: The runs.
    """

    def __init__(self, feed: RunFeed) -> None:
        self.feed = feed
        self._regions: OrderedDict[Hashable, LiveRegion] = OrderedDict()
        self._lock = Lock()

    async def show_list(self, request: Request) -> Response:
        """Show the table of runs."""
        query = _read_query(request)
        changes, paths = await run_quick(request, self._read_list_page, query)
        return _render(request, "runs.html", "_run_row.html", changes, query=query, paths=paths)

    async def send_list_changes(self, request: Request) -> Response:
        """Send what changed in the table since a version."""
        region = self._list_region(_read_query(request))
        return await run_quick(request, _send_changes, region, "_run_row.html", request)

    async def show_runs(self, request: Request) -> Response:
        """Show one run, or several side by side."""
        paths = self._read_runs(request)
        changes = await run_quick(request, self._details_region(paths).changes)
        names = [self.feed.name(path) for path in paths]
        return _render(request, "run.html", "_run_section.html", changes, names=names)

    async def send_runs_changes(self, request: Request) -> Response:
        """Send what changed on the page of runs since a version."""
        region = self._details_region(self._read_runs(request))
        return await run_quick(request, _send_changes, region, "_run_section.html", request)

    async def show_study(self, request: Request) -> Response:
        """Show the page of the study of which a run is a trial."""
        (path,) = self._read_runs(request)
        page = self.feed.find_study_page(path)
        if page is None:
            raise sslreg.UserError("this run is not a trial of a study with a page", code="not-found")
        return FileResponse(page, media_type="text/html", headers={"Content-Security-Policy": _STUDY_POLICY})

    def _read_list_page(self, query: RunQuery) -> tuple[Changes | None, list[str]]:
        return self._list_region(query).changes(), list_paths(self.feed)

    def _list_region(self, query: RunQuery) -> LiveRegion:
        return self._region(query, RunList(self.feed, query).read)

    def _details_region(self, paths: tuple[Path, ...]) -> LiveRegion:
        return self._region(paths, RunDetails(self.feed, paths).read)

    def _region(self, key: Hashable, read: Callable[[], Any]) -> LiveRegion:
        """Return the region of a key, which clients of the same page share."""
        with self._lock:
            region = self._regions.pop(key, None) or LiveRegion(read)
            self._regions[key] = region
            if len(self._regions) > _KEPT:
                self._regions.popitem(last=False)
            return region

    def _read_runs(self, request: Request) -> tuple[Path, ...]:
        texts = list(dict.fromkeys(request.query_params.getlist("run")))
        if not 1 <= len(texts) <= MAX_RUNS:
            raise sslreg.UserError(f"choose 1 to {MAX_RUNS} runs, not {len(texts)}", code="bad-request")
        if not all(text.isascii() and text.isdigit() and len(text) < 10 for text in texts):
            raise sslreg.UserError("a run is named by its number", code="bad-request")
        return tuple(self.feed.numbers.path(int(text)) for text in texts)


def _read_query(request: Request) -> RunQuery:
    parameters = request.query_params
    columns = (path.strip() for path in parameters.get("columns", "").split(","))
    return RunQuery(
        tuple(condition.strip() for condition in parameters.getlist("where") if condition.strip()),
        parameters.get("sort", "").strip(),
        tuple(path for path in columns if path),
        bool(parameters.get("group")),
    )


def _render(request: Request, page: str, template: str, changes: Changes | None, **content: Any) -> Response:
    assert changes is not None
    parts = {key: Markup(html) for key, html in _render_parts(template, changes).items()}
    return render(request, page, parts=parts, items=changes.items, version_of_region=changes.version, **content)


def _send_changes(region: LiveRegion, template: str, request: Request) -> Response:
    changes = region.changes(request.query_params.get("since", ""))
    if changes is None:
        return Response(status_code=204)
    parts = _render_parts(template, changes)
    return JSONResponse({"version": changes.version, "parts": parts, "items": changes.items})


def _render_parts(template: str, changes: Changes) -> dict[str, str]:
    return {
        key: sslreg.render_page(template, "sslreg_browser", key=key, content=part)
        for key, part in changes.parts.items()
    }


def build_run_area(workspace: Workspace) -> Area | None:
    """Return the area of runs, None without a folder of runs."""
    root = workspace.runs or workspace.run
    if root is None:
        return None
    pages = RunPages(RunFeed(root, workspace.run_numbers))
    return Area(
        "Runs",
        "/runs",
        [
            Route("/runs", pages.show_list),
            Route("/runs/show", pages.show_runs),
            Route("/runs/study", pages.show_study),
            Route("/api/runs", pages.send_list_changes),
            Route("/api/runs/show", pages.send_runs_changes),
        ],
    )
