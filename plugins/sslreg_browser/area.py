"""Areas: the pages and endpoints that belong together, with one link in the header."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.routing import BaseRoute


@dataclass(frozen=True)
class Area:
    """Pages and endpoints that belong together.

    Attributes:
        title: The text of the link in the header; None for no link.
        path: The path of the page to which the link leads.
        routes: The routes of the pages, and of the endpoints under ``/api/``.
        close: Ends what runs in the background. It is called when the server ends.
    """

    title: str | None
    path: str
    routes: Sequence[BaseRoute]
    close: Callable[[], None] = lambda: None
