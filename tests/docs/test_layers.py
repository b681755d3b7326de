"""The picture of the layers is current."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def layers(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import layers

    yield layers
    del sys.modules["layers"]


def test_the_picture_is_current(layers: ModuleType) -> None:
    assert layers.PICTURE.read_text(encoding="utf-8") == layers.draw(layers.read_stacks()), "run: make docs"


def test_the_picture_shows_every_layer_and_plugin(layers: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shown = {element.text for element in ElementTree.fromstring(layers.PICTURE.read_text(encoding="utf-8")).iter()}
    contracts = project["tool"]["importlinter"]["contracts"]
    expected = {
        name.strip(" ()")
        for contract in contracts
        if contract["type"] == "layers"
        for layer in contract["layers"]
        for name in layer.replace(":", "|").split("|")
    }
    assert expected
    assert expected | set(project["project"]["entry-points"]["sslreg"]) <= shown
