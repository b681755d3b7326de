"""The import graph of sslreg and its default plugins, file by file."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

from sslreg.registry import installed


def test_no_modules_import_each_other() -> None:
    """Imports inside functions and those for type checkers count, too."""
    packages = {plugin.module for plugin in installed().plugins if plugin.distribution == "sslreg"}
    graph = grimp.build_graph("sslreg", *packages, exclude_type_checking_imports=False, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail("the modules import each other: " + " is imported by ".join(error.args[1]), pytrace=False)


def test_files_are_replaced_atomically() -> None:
    """Whatever is written goes through `sslreg.atomic_files`: directly, or into a draft.

    The writers of backbones get the path of a draft.
    """
    root = Path(__file__).parents[1]
    writes = re.compile(r"""\.write_(text|bytes)\(|\.open\([^)]*["'][wax]b?\+?["']""")
    found = [
        f"{path.relative_to(root)}: {line.strip()}"
        for folder in ("sslreg", "plugins")
        for path in sorted((root / folder).rglob("*.py"))
        if path.name not in ("atomic_files.py", "backbone_writers.py") and "testing" not in path.parts
        for line in path.read_text(encoding="utf-8").splitlines()
        if writes.search(line) and "draft" not in line and "archive.open" not in line
    ]
    assert found == []
