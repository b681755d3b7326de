"""The files and folders that the pages for developers mention exist."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md", "docs/releasing.md", "docs/plugins.md"])
def test_every_path_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    paths = re.findall(r"`((?:sslreg|plugins|tests|specs|benchmarks|docs|examples|\.ci)/[\w./-]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_contributing_lists_every_package_of_the_core() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    packages = [path.parent.name for path in (ROOT / "sslreg").glob("*/__init__.py")]
    assert packages
    assert [name for name in packages if f"`sslreg/{name}/`" not in text] == []


def test_contributing_gives_a_reason_for_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: packages for name, packages in project["optional-dependencies"].items() if name != "bench"}
    requirements = [*project["dependencies"], *chain.from_iterable(extras.values())]
    names = {re.split(r"[\[>=]", requirement)[0] for requirement in requirements} - {"sslreg", "types-PyYAML"}
    reasons = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Dependencies")[1].lower()
    assert sorted(name for name in names if name.lower() not in reasons) == []
