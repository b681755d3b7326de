"""The checks that each request passes before an area sees it, and the headers that protect each response.

Other users of the machine can connect to the port, and pages of other sites can make the browser send requests to it.
A secret token keeps out the former. The latter are refused by the Host header (a name that an attacker rebinds to the
loopback address is not a loopback name), by the Origin and Sec-Fetch-Site headers, and by the cookie, which browsers
send only with requests of the page itself.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from urllib.parse import parse_qs

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The largest body of a request in bytes: a dropped photograph.
MAX_BODY = 20_000_000
#: The seconds in which a client has to send the body of a request.
BODY_TIMEOUT = 30.0

#: The names of this machine, with any port: behind an SSH tunnel, the browser may use another port than the server.
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(?::(\d{1,5}))?", re.IGNORECASE)

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",  # charts place their marks by attributes
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

#: The page itself follows this link, because browsers do not send a strict cookie if another site or program does.
_ENTRANCE = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/">'
    '<link rel="icon" href="data:,"><title>sslreg</title>'
)


class Access:
    """An application that passes on only the requests of the user who started the server.

    Args:
        app: The application that answers them.
        token: The secret of the link.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self.app = app
        self._token = token
        self._session = secrets.token_urlsafe(32)
        self._codes: set[str] = set()
        self._lock = threading.Lock()

    def create_code(self) -> str:
        """Return a token that can be used once.

        Other users see the arguments of a browser that is started with a link, so such a link must not work again.
        """
        code = secrets.token_urlsafe(32)
        with self._lock:
            self._codes.add(code)
        return code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            send = _protect_response(send)
            if response := self._answer(scope, headers):
                await response(scope, receive, send)
            else:
                await self.app(scope, _limit_body(receive), send)
        elif scope["type"] == "lifespan":
            await self.app(scope, receive, send)

    def _answer(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the response to a request that must not pass, or that exchanges the token; None for others."""
        hosts = headers.getlist("host")
        host = _LOOPBACK.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if host is None:
            return _refuse(scope, 421, "this server answers only as 127.0.0.1 or localhost")
        if not _is_same_origin(scope, headers, hosts[0]):
            return _refuse(scope, 403, "another site sent this request")
        cookie = f"sslreg-{host[2] or 80}"
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token") if scope["path"] == "/" else None
        if token is not None and scope["method"] == "GET" and self._take_token(token[0]):
            response = HTMLResponse(_ENTRANCE)
            response.set_cookie(cookie, self._session, httponly=True, samesite="strict")
            return response
        if not _is_equal(cookie_parser(headers.get("cookie", "")).get(cookie, ""), self._session):
            return _refuse(scope, 403, "this page needs a link that works", "open the link that sslreg browse printed")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY:
            return _refuse(scope, 413, _describe_limit())
        return None

    def _take_token(self, token: str) -> bool:
        with self._lock:
            if token in self._codes:
                self._codes.remove(token)
                return True
        return _is_equal(token, self._token)


def _is_equal(text: str, secret: str) -> bool:
    return secrets.compare_digest(text.encode("utf-8", "surrogateescape"), secret.encode())


def _is_same_origin(scope: Scope, headers: Headers, host: str) -> bool:
    """Return whether a request comes from a page of this server, or from the user by a link or the address bar."""
    is_reading = scope["method"] in ("GET", "HEAD")
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if origin is None and not is_reading:
        return False  # browsers always name the origin of a request that may change something
    if origin is not None and origin.lower() != f"{scope['scheme']}://{host}".lower():
        return False
    is_navigation = (
        is_reading and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )
    return site in (None, "same-origin", "none") or is_navigation


def _refuse(scope: Scope, status: int, message: str, hint: str | None = None) -> Response:
    # The client may still be sending, and nobody reads it.
    headers = {"Connection": "close"}
    if scope["path"].startswith("/api/"):
        text = json.dumps({"error": message, "hint": hint})
        return Response(text, status, headers, media_type="application/json")
    return PlainTextResponse("\n".join(filter(None, (message, hint))), status, headers)


def _describe_limit() -> str:
    return f"the request is larger than {MAX_BODY // 1_000_000} MB"


def _protect_response(send: Send) -> Send:
    async def send_protected(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            headers.setdefault("Content-Security-Policy", _POLICY)  # a page that others wrote has a separate one
        await send(message)

    return send_protected


def _limit_body(receive: Receive) -> Receive:
    """Return a `receive` that raises HTTPException for a body that is too large, or that arrives too slowly."""
    size = 0
    is_complete = False
    deadline = anyio.current_time() + BODY_TIMEOUT

    async def receive_limited() -> Message:
        nonlocal size, is_complete
        if is_complete:
            return await receive()
        try:
            with anyio.fail_after(max(0.0, deadline - anyio.current_time())):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "the request arrives too slowly", {"Connection": "close"}) from None
        size += len(message.get("body", b""))
        is_complete = not message.get("more_body", False)
        if size > MAX_BODY:
            raise HTTPException(413, _describe_limit(), {"Connection": "close"})
        return message

    return receive_limited
