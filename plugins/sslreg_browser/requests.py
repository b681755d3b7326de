"""Helpers of all endpoints: reading requests and rendering pages."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

import sslreg

#: The largest JSON body in bytes.
MAX_JSON = 1_000_000


def render(request: Request, template: str, **content: Any) -> HTMLResponse:
    """Render a page from a template that extends ``page.html``.

    Args:
        request: The request that the page answers.
        template: The file name in ``templates``.
        content: The variables of the template; all text is escaped.
    """
    areas = request.app.state.areas
    page = sslreg.render_page(template, "sslreg_browser", areas=areas, path=request.url.path, **content)
    return HTMLResponse(page)


async def read_json(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body of a request.

    Raises:
        UserError: The body is not a JSON object.
    """
    try:
        body = await request.body()
        content = json.loads(body) if len(body) <= MAX_JSON else None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise sslreg.UserError(
            f"the body of the request is not a JSON object of at most {MAX_JSON // 1_000_000} MB", code="bad-request"
        )
    return content


def read_integer(request: Request, name: str, default: int | None = None, *, high: int = 2**31) -> int:
    """Return a parameter of the path or of the query as an integer from 0 to `high`.

    Args:
        request: The request.
        name: The name of the parameter.
        default: The value if the parameter is missing; None if it is required.
        high: The largest allowed value.

    Raises:
        UserError: The parameter is missing, or is not such an integer.
    """
    text = str(request.path_params.get(name, request.query_params.get(name, "")))
    if not text and default is not None:
        return default
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= high:
        return int(text)
    raise sslreg.UserError(f"{name} must be an integer from 0 to {high}", code="bad-request")
