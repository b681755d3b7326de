"""The page on which the views of a spec are edited."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import sslreg
from sslreg_browser.area import Area
from sslreg_browser.live_views import LiveViews
from sslreg_browser.operation_cards import describe_operations
from sslreg_browser.requests import read_json, render
from sslreg_browser.view_editor import ViewEditor, require_moderate_size, require_views
from sslreg_browser.work_queue import run_quick, run_slow
from sslreg_browser.workspace import Workspace

#: The largest number of images of which views are shown.
_MOST_SAMPLES = 32


def build_view_area(workspace: Workspace) -> Area | None:
    """Return the page of views and its endpoints; None if no spec is browsed.

    Raises:
        UserError: The spec is invalid.
    """
    if workspace.spec is None:
        return None
    endpoints = _Endpoints(ViewEditor(workspace.spec))
    return Area(
        "Views",
        "/views",
        [
            Route("/views", endpoints.page),
            Route("/api/views/start", endpoints.start),
            Route("/api/views/show", endpoints.show, methods=["POST"]),
            Route("/api/views/check", endpoints.check, methods=["POST"]),
            Route("/api/views/plan", endpoints.plan, methods=["POST"]),
            Route("/api/views/save", endpoints.save, methods=["POST"]),
        ],
    )


class _Endpoints:
    def __init__(self, editor: ViewEditor) -> None:
        self._editor = editor
        self._live = LiveViews(editor)

    async def page(self, request: Request) -> Response:
        return render(request, "views.html", name=self._editor.spec.name, file=Path(self._editor.spec.file).name)

    async def start(self, request: Request) -> Response:
        """Send what the page needs to make cards."""
        return JSONResponse(await run_quick(request, self._describe))

    async def show(self, request: Request) -> Response:
        """Send the pictures and the text of the spec with other views."""
        content = await read_json(request)
        name = content.get("file_name")
        options = {**_read_options(content), "file_name": name if isinstance(name, str) else None}
        views = require_views(content.get("views"))
        require_moderate_size(views, options["samples"])
        return JSONResponse(await run_quick(request, self._live.show, views, **options))

    async def check(self, request: Request) -> Response:
        """Send the findings of `sslreg check`."""
        content = await read_json(request)
        return JSONResponse(await run_slow(request, self._live.check, require_views(content.get("views"))))

    async def plan(self, request: Request) -> Response:
        """Send the stages of the views with their times."""
        content = await read_json(request)
        views, options = require_views(content.get("views")), _read_options(content)
        require_moderate_size(views, options["samples"])
        return JSONResponse(await run_slow(request, self._live.plan, views, **options))

    async def save(self, request: Request) -> Response:
        """Write the spec with other views under a name."""
        content = await read_json(request)
        views, name = require_views(content.get("views")), content.get("file_name")
        overwrite = content.get("overwrite") is True
        try:
            path = await run_quick(request, self._editor.save, views, str(name), overwrite=overwrite)
        except sslreg.UserError as error:
            if error.diagnostics[0].code != "file-exists":
                raise
            return JSONResponse({"saved": None, "exists": name})
        return JSONResponse({"saved": sslreg.escape_text(str(path)), "exists": None})

    def _describe(self) -> dict[str, Any]:
        spec = self._editor.spec
        return {
            "views": self._editor.views,
            "operations": _describe_installed(),
            "roles": list(getattr(spec.model.info.load(), "roles", {})),
            "folder": sslreg.escape_text(str(self._editor.folder)),
            "proposed_name": self._editor.proposed_name,
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
