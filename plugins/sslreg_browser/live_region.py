"""A part of a page that changes while the page is open: the client gets only what changed since its version."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: The shortest time between two updates in seconds, and the largest share of the time that updates may take.
INTERVAL, SHARE = 0.5, 0.2


@dataclass(frozen=True)
class Changes:
    """What changed since a version.

    Attributes:
        version: The version that the client has afterwards.
        parts: The contents of the parts that changed, by their keys.
        items: The keys of the list, in order; None if neither they nor their order changed.
    """

    version: str
    parts: Mapping[str, Any]
    items: Sequence[str] | None


@dataclass(frozen=True)
class RegionContent:
    """The content of a region.

    Attributes:
        parts: The contents of all parts by their keys. They are compared by ``==``.
        items: The keys of those parts that form a list, in order.
    """

    parts: Mapping[str, Any]
    items: Sequence[str]


class LiveRegion:
    """The content of a part of a page, and in which version each of its parts changed.

    However many clients ask, the content is updated at most twice a second, and takes at most a fifth of the time.

    Args:
        read: Reads the content.
    """

    def __init__(self, read: Callable[[], RegionContent]) -> None:
        self._read = read
        self._identity = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._due = 0.0
        self._version = 0
        self._changed: dict[str, int] = {}
        self._order_changed = 0
        self._content = RegionContent({}, [])

    def changes(self, since: str = "") -> Changes | None:
        """Return what changed since a version, and None if nothing did. Without a known version, everything did."""
        with self._lock:
            if time.monotonic() >= self._due:
                start = time.monotonic()
                self._update(self._read())
                end = time.monotonic()
                self._due = end + max(INTERVAL, (end - start) * (1 / SHARE - 1))
            known = self._parse_version(since)
            if known == self._version:
                return None
            parts = {key: value for key, value in self._content.parts.items() if self._changed[key] > known}
            items = self._content.items if self._order_changed > known else None
            return Changes(f"{self._identity}-{self._version}", parts, items)

    def _update(self, content: RegionContent) -> None:
        before, version = self._content, self._version + 1
        changed = {key for key, value in content.parts.items() if key not in before.parts or before.parts[key] != value}
        if not changed and content.items == before.items and self._version:
            return
        self._changed = {key: version if key in changed else self._changed[key] for key in content.parts}
        if content.items != before.items or not self._version:
            self._order_changed = version
        self._content, self._version = content, version

    def _parse_version(self, text: str) -> int:
        """Return the number of a version, 0 if it is not one of this region."""
        identity, _, number = text.partition("-")
        is_known = identity == self._identity and number.isascii() and number.isdigit() and len(number) < 10
        return int(number) if is_known and int(number) <= self._version else 0
