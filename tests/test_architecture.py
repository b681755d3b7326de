"""The import graph of sslreg and its default plugins, file by file."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

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
