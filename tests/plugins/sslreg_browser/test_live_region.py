from __future__ import annotations

from typing import Any

import pytest

from sslreg_browser import live_region
from sslreg_browser.live_region import Changes, LiveRegion, RegionContent


class Source:
    """Content that a test changes, and the number of times it was read."""

    def __init__(self, **parts: Any) -> None:
        self.parts = parts
        self.reads = 0

    def read(self) -> RegionContent:
        self.reads += 1
        return RegionContent(dict(self.parts), sorted(key for key in self.parts if key != "head"))


@pytest.fixture(autouse=True)
def read_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_region, "INTERVAL", 0.0)
    monkeypatch.setattr(live_region, "SHARE", 1.0)


def require(changes: Changes | None) -> Changes:
    assert changes is not None
    return changes


def test_a_client_gets_only_what_changed_since_its_version() -> None:
    source = Source(head="h", a=1, b=2)
    region = LiveRegion(source.read)
    first = require(region.changes())
    assert (first.parts, first.items) == ({"head": "h", "a": 1, "b": 2}, ["a", "b"])
    assert region.changes(first.version) is None
    source.parts["b"] = 3
    second = require(region.changes(first.version))
    assert (second.parts, second.items) == ({"b": 3}, None)
    source.parts["c"] = 4
    del source.parts["a"]
    third = require(region.changes(second.version))
    assert (third.parts, third.items) == ({"c": 4}, ["b", "c"])
    late = require(region.changes(first.version))
    assert (late.parts, late.items, late.version) == ({"b": 3, "c": 4}, ["b", "c"], third.version)
    assert region.changes(third.version) is None


@pytest.mark.parametrize("version", ["", "nonsense", "0-1", "-1", "x-" + "9" * 100])
def test_a_client_with_an_unknown_version_gets_everything(version: str) -> None:
    region = LiveRegion(Source(a=1).read)
    known = require(region.changes()).version
    assert require(region.changes(version)).parts == {"a": 1}
    assert require(region.changes(known.replace("-1", "-7"))).parts == {"a": 1}


def test_an_empty_region_has_a_version() -> None:
    region = LiveRegion(Source().read)
    assert region.changes(require(region.changes()).version) is None


def test_many_requests_read_the_content_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_region, "INTERVAL", 60.0)
    source = Source(a=1)
    region = LiveRegion(source.read)
    for _ in range(100):
        region.changes()
    assert source.reads == 1
