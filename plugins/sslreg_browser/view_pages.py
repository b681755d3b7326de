"""The pages on which views are edited: those of a spec, and those of a run."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import sslreg
from sslreg_browser.area import Area
from sslreg_browser.live_views import LiveViews
from sslreg_browser.operation_cards import describe_operations
from sslreg_browser.requests import read_json, render
from sslreg_browser.view_editor import ViewEditor, edit_run, edit_spec, require_moderate_size, require_views
from sslreg_browser.work_queue import run_quick, run_slow
from sslreg_browser.workspace import Workspace

#: The largest number of images of which views are shown.
_MOST_SAMPLES = 32


#: The number of runs whose images are kept to make views of them.
_KEPT_RUNS = 4


def build_view_area(workspace: Workspace) -> Area | None:
    """Return the pages of views and their endpoints: of the spec, and of each run; None if nothing is browsed.

    Raises:
        UserError: The spec is invalid.
    """
    if workspace.spec is None and workspace.runs is None and workspace.run is None:
        return None
    endpoints = _Endpoints(workspace)
    routes = []
    for number in ("", "/{run:int}"):
        routes += [
            Route(f"/views{number}", endpoints.page),
            Route(f"/api/views{number}/start", endpoints.start),
            Route(f"/api/views{number}/show", endpoints.show, methods=["POST"]),
            Route(f"/api/views{number}/check", endpoints.check, methods=["POST"]),
            Route(f"/api/views{number}/plan", endpoints.plan, methods=["POST"]),
            Route(f"/api/views{number}/save", endpoints.save, methods=["POST"]),
        ]
    has_page = workspace.spec is not None or workspace.run is not None
    return Area("Views" if has_page else None, "/views", routes)


class _Endpoints:
    """The pages and endpoints.

    Args:
        workspace: What is browsed. Without a run in its address, a page shows the spec or run that was named.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._spec = None if workspace.spec is None else LiveViews(edit_spec(workspace.spec))
        self._runs: OrderedDict[Path, LiveViews] = OrderedDict()
        self._lock = Lock()

    async def page(self, request: Request) -> Response:
        editor = (await self._find(request)).editor
        run = request.path_params.get("run")
        return render(
            request,
            "views.html",
            name=editor.spec.name,
            file=Path(editor.spec.file).name,
            api="/api/views" if run is None else f"/api/views/{run}",
            is_run=self._spec is None or run is not None,
        )

    async def start(self, request: Request) -> Response:
        """Send what the page needs to make cards."""
        return JSONResponse(await run_quick(request, _describe, (await self._find(request)).editor))

    async def show(self, request: Request) -> Response:
        """Send the pictures and the text of the spec with other views."""
        content = await read_json(request)
        name = content.get("file_name")
        options = {**_read_options(content), "file_name": name if isinstance(name, str) else None}
        views = require_views(content.get("views"))
        require_moderate_size(views, options["samples"])
        live = await self._find(request)
        return JSONResponse(await run_quick(request, live.show, views, **options))

    async def check(self, request: Request) -> Response:
        """Send the findings of `sslreg check`."""
        content = await read_json(request)
        views, live = require_views(content.get("views")), await self._find(request)
        return JSONResponse(await run_slow(request, live.check, views))

    async def plan(self, request: Request) -> Response:
        """Send the stages of the views with their times."""
        content = await read_json(request)
        views, options = require_views(content.get("views")), _read_options(content)
        require_moderate_size(views, options["samples"])
        live = await self._find(request)
        return JSONResponse(await run_slow(request, live.plan, views, **options))

    async def save(self, request: Request) -> Response:
        """Write the spec with other views under a name."""
        content = await read_json(request)
        views, name = require_views(content.get("views")), content.get("file_name")
        overwrite = content.get("overwrite") is True
        editor = (await self._find(request)).editor
        try:
            path = await run_quick(request, editor.save, views, str(name), overwrite=overwrite)
        except sslreg.UserError as error:
            if error.diagnostics[0].code != "file-exists":
                raise
            return JSONResponse({"saved": None, "exists": name})
        return JSONResponse({"saved": sslreg.escape_text(str(path)), "exists": None})

    async def _find(self, request: Request) -> LiveViews:
        """Return the views of the run in the address, or else of what was named.

        Raises:
            UserError: There is no such run, or its spec is invalid.
        """
        number = request.path_params.get("run")
        if number is None and self._spec is not None:
            return self._spec
        path = self._workspace.run if number is None else self._workspace.run_numbers.path(number)
        if path is None:
            raise sslreg.UserError("no spec was named", hint="open the views of a run from its page", code="not-found")
        return await run_quick(request, self._open_run, path)

    def _open_run(self, path: Path) -> LiveViews:
        with self._lock:
            live = self._runs.pop(path, None) or LiveViews(edit_run(path))
            self._runs[path] = live
            if len(self._runs) > _KEPT_RUNS:
                self._runs.popitem(last=False)
            return live


def _describe(editor: ViewEditor) -> dict[str, Any]:
    return {
        "views": editor.views,
        "operations": _describe_installed(),
        "roles": list(getattr(editor.spec.model.info.load(), "roles", {})),
        "folder": sslreg.escape_text(str(editor.folder)),
        "proposed_name": editor.proposed_name,
    }


@cache
def _describe_installed() -> list[dict[str, Any]]:
    return describe_operations()


def _read_options(content: dict[str, Any]) -> dict[str, Any]:
    """Return which images of a request are shown, and in which epoch.

    Raises:
        UserError: One of the numbers is out of range.
    """
    options: dict[str, Any] = {"seed": None}
    for key, default, low, high in (("samples", 8, 1, _MOST_SAMPLES), ("epoch", 0, 0, 2**31), ("seed", None, 0, 2**63)):
        value = content.get(key, default)
        if value is None:
            continue
        if type(value) is not int or not low <= value < high + (key == "samples"):
            raise sslreg.UserError(f"{key} must be an integer from {low} to {high}", code="bad-request")
        options[key] = value
    return options
