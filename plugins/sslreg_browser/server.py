"""The application: the areas, their shared pages, and how errors are shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import sslreg
from sslreg_browser.area import Area
from sslreg_browser.requests import render
from sslreg_browser.work_queue import WorkQueue
from sslreg_browser.workspace import Workspace

#: The functions that make the areas, in the order of the header. One returns None if there is nothing to show.
AREAS: tuple[Callable[[Workspace], Area | None], ...] = ()


def create_app(workspace: Workspace, token: str) -> Starlette:
    """Return the application that shows a workspace.

    Args:
        workspace: What is browsed.
        token: The secret that each client has to know.
    """
    areas = [area for build in AREAS if (area := build(workspace)) is not None]
    app = Starlette(
        routes=[
            Route("/", _redirect_to_first_area),
            Route("/static/style.css", _send_report_style),
            Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
            *(route for area in areas for route in area.routes),
        ],
        exception_handlers={
            sslreg.SslregError: _report_sslreg_error,
            HTTPException: _report_http_error,
        },
    )
    app.state.areas = areas
    app.state.workspace = workspace
    app.state.quick_work = WorkQueue("quick", threads=2)
    app.state.slow_work = WorkQueue("slow", threads=1)
    return app


def _redirect_to_first_area(request: Request) -> Response:
    areas = request.app.state.areas
    if not areas:
        return render(request, "error.html", message="there is nothing to show", hint=None)
    return RedirectResponse(areas[0].path, 303)


def _send_report_style(request: Request) -> Response:
    """Send the style sheet of the reports."""
    return Response(sslreg.render_page("style.css", "sslreg_browser"), media_type="text/css")


def _report_sslreg_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, sslreg.SslregError)
    first = error.diagnostics[0]
    status = 404 if first.code == "not-found" else 400 if isinstance(error, sslreg.UserError) else 500
    message = "\n".join(diagnostic.message for diagnostic in error.diagnostics)
    return _report(request, status, message, first.hint)


def _report_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _report(request, error.status_code, error.detail, None)
    response.headers.update(error.headers or {})
    return response


def _report(request: Request, status: int, message: str, hint: str | None) -> Response:
    """Return an error as JSON for an endpoint, otherwise as a page."""
    message, hint = sslreg.escape_text(message), hint and sslreg.escape_text(hint)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": message, "hint": hint}, status)
    response = render(request, "error.html", message=message, hint=hint)
    response.status_code = status
    return response
