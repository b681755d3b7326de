"""The application: the areas, their shared pages, and how errors are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

import sslreg
from sslreg_browser.access import Access
from sslreg_browser.area import Area
from sslreg_browser.feature_pages import build_feature_area
from sslreg_browser.requests import render
from sslreg_browser.run_pages import build_run_area
from sslreg_browser.view_pages import build_view_area
from sslreg_browser.work_queue import WorkQueue
from sslreg_browser.workspace import Workspace

#: The functions that make the areas, in the order of the header. One returns None if there is nothing to show.
AREAS: tuple[Callable[[Workspace], Area | None], ...] = (build_view_area, build_run_area, build_feature_area)

_MEDIA_TYPES = {"css": "text/css", "js": "text/javascript"}


def create_app(workspace: Workspace, token: str) -> Access:
    """Return the application that shows a workspace.

    Args:
        workspace: What is browsed.
        token: The secret that each client has to know.
    """
    areas = [area for build in AREAS if (area := build(workspace)) is not None]
    app = Starlette(
        lifespan=_manage_lifetime,
        routes=[
            Route("/", _redirect_to_first_area),
            Route("/static/{name}", _send_static_file),
            *(route for area in areas for route in area.routes),
        ],
        exception_handlers={
            sslreg.SslregError: _report_sslreg_error,
            HTTPException: _report_http_error,
            Exception: _report_fault,
        },
    )
    app.state.areas = areas
    app.state.workspace = workspace
    app.state.quick_work = defaultdict(lambda: WorkQueue("quick", threads=2))
    app.state.slow_work = WorkQueue("slow", threads=1)
    return Access(app, token)


@asynccontextmanager
async def _manage_lifetime(app: Starlette) -> AsyncIterator[None]:
    """Limit the threads of endpoints that are no coroutines, so that many requests do not take all cores.

    When the server ends, close the areas.
    """
    anyio.to_thread.current_default_thread_limiter().total_tokens = 4
    yield
    for area in app.state.areas:
        area.close()


def _redirect_to_first_area(request: Request) -> Response:
    linked = [area for area in request.app.state.areas if area.title is not None]
    if not linked:
        return render(request, "error.html", message="there is nothing to show", hint=None)
    # Who names a run wants to see how it went.
    names_run = request.app.state.workspace.spec is None
    start = next(area for area in linked if not (names_run and area.path == "/views"))
    return RedirectResponse(start.path, 303)


async def _send_static_file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in (files := _read_static_files()):
        raise HTTPException(404)
    return Response(files[name], media_type=_MEDIA_TYPES[name.rpartition(".")[2]])


@cache
def _read_static_files() -> dict[str, bytes]:
    """Return the static files by name, with those of the reports. No request opens a file."""
    files = {path.name: path.read_bytes() for path in (Path(__file__).parent / "static").iterdir()}
    shared = ("style.css", "chart_readout.js")
    return files | {name: sslreg.render_page(name, "sslreg_browser").encode() for name in shared}


def _report_sslreg_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, sslreg.SslregError)
    first = error.diagnostics[0]
    status = 404 if first.code == "not-found" else 400 if isinstance(error, sslreg.UserError) else 500
    message = "\n".join(diagnostic.message for diagnostic in error.diagnostics)
    return _report(request, status, message, first.hint)


def _report_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = "there is nothing at this address" if error.status_code == 404 else error.detail
    response = _report(request, error.status_code, message, None)
    response.headers.update(error.headers or {})
    return response


def _report_fault(request: Request, error: Exception) -> Response:
    """Report a fault of the program. The server prints its traceback."""
    return _report(request, 500, f"sslreg has failed: {type(error).__name__}: {error}", "the terminal shows where")


def _report(request: Request, status: int, message: str, hint: str | None) -> Response:
    """Return an error as JSON for an endpoint, otherwise as a page."""
    message, hint = sslreg.escape_text(message), hint and sslreg.escape_text(hint)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": message, "hint": hint}, status)
    response = render(request, "error.html", message=message, hint=hint)
    response.status_code = status
    return response
