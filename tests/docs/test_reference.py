"""The generated pages are current and complete."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sslreg.registry import installed

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference"


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The pages as they would be generated now."""
    monkeypatch.syspath_prepend(str(DOCS))
    import reference

    yield {name: page() for name, page in reference.PAGES.items()}
    for module in ("reference", "benchmark_tables", "docstrings"):
        del sys.modules[module]


def test_the_pages_are_current(pages: dict[str, str]) -> None:
    assert {path.name for path in REFERENCE.glob("*.md")} == set(pages)
    for name, text in pages.items():
        assert (REFERENCE / name).read_text(encoding="utf-8") == text, "run: make docs"


def test_every_component_is_documented() -> None:
    page = (REFERENCE / "components.md").read_text(encoding="utf-8")
    components = [info for info in installed() if info.distribution == "sslreg"]
    assert len(components) > 100
    assert [str(info) for info in components if f"`{info.name}`" not in page] == []


def test_every_command_and_option_is_described() -> None:
    page = (REFERENCE / "commands.md").read_text(encoding="utf-8")
    assert "## sslreg train" in page
    rows = [line for line in page.splitlines() if line.startswith(("| `", "| <code>"))]
    assert [row for row in rows if row.endswith("|  |")] == []
    sections = page.split("\n## ")[1:]
    assert [text.splitlines()[0] for text in sections if not text.split("```")[2].strip().partition("\n")[0]] == []
