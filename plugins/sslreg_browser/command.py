"""sslreg browse"""

from __future__ import annotations

import importlib.util
import os
import secrets
import sys
import threading
from contextlib import suppress
from typing import Annotated

import typer

import sslreg
from sslreg_browser.workspace import EMBEDDED, MOST_EMBEDDED


def browse(
    target: Annotated[
        str, typer.Argument(metavar="SPEC|RUN|FOLDER", help="A spec, a run, or a folder of runs.")
    ] = "runs",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 chooses a free one.")] = 0,
    images: Annotated[
        int,
        typer.Option("--images", min=2, max=MOST_EMBEDDED, help="The number of images whose features are shown."),
    ] = EMBEDDED,
    no_open: Annotated[bool, typer.Option("--no-open", help="Only print the link.")] = False,
) -> None:
    """Look at views, runs and features in the browser.

    Only you can open the link, and only on this computer. Ctrl-C ends the server. For example: sslreg browse
    digits-simclr
    """
    _require_starlette()
    from sslreg_browser.http_server import ADDRESS, Server, listen
    from sslreg_browser.server import create_app
    from sslreg_browser.workspace import open_workspace

    with listen(port) as listener:
        workspace = open_workspace(target, images)
        token = secrets.token_urlsafe(32)
        app = create_app(workspace, token)
        address = f"http://{ADDRESS}:{listener.getsockname()[1]}/?token="
        typer.echo(f"open {address}{token}")
        typer.echo("Ctrl-C ends the server")
        sys.stdout.flush()
        if not no_open:
            open_browser(f"{address}{app.create_code()}")
        _put_trainings_first()
        Server(app).run([listener])


def open_browser(link: str) -> None:
    """Open a link in the browser if there is a display. The link is printed anyway, so a failure does not matter."""
    import webbrowser

    if sys.platform.startswith("linux") and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))):
        return  # a browser for terminals would take over this one
    threading.Thread(target=webbrowser.open, args=(link,), daemon=True).start()


def _put_trainings_first() -> None:
    """Let a training on this machine have the processor first, and keep its memory if there is not enough."""
    if hasattr(os, "nice"):
        os.nice(10)
    with suppress(OSError):
        setting = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        with suppress(OSError):
            os.write(setting, b"500")
        os.close(setting)


def _require_starlette() -> None:
    if any(importlib.util.find_spec(package) is None for package in ("starlette", "uvicorn")):
        raise sslreg.UserError(
            "sslreg browse needs Starlette and uvicorn, which are not installed",
            hint="install them: pip install 'sslreg[browser]'",
            code="missing-package",
        )
