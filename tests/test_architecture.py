"""The import graph of sslreg and its default plugins, file by file."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

from sslreg.registry import installed

#: Imports (importer, imported) that still close a cycle. Remove an entry with the import; never add one.
KNOWN = {
    ("sslreg.report.view_preview", "sslreg.report.html_pages"),
    ("sslreg.report.view_preview", "sslreg.report.preview_image"),
}


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """What each module imports from sslreg or a default plugin, in functions and for type checkers, too."""
    packages = {plugin.module for plugin in installed().plugins if plugin.distribution == "sslreg"}
    graph = grimp.build_graph("sslreg", *packages, exclude_type_checking_imports=False, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_no_modules_import_each_other(imports: dict[str, set[str]]) -> None:
    unknown = {module: {name for name in names if (module, name) not in KNOWN} for module, names in imports.items()}
    try:
        TopologicalSorter(unknown).prepare()
    except CycleError as error:
        pytest.fail("a cycle of imports: " + " is imported by ".join(error.args[1]), pytrace=False)


def test_known_cycles_are_removed_from_the_list_once_they_are_gone(imports: dict[str, set[str]]) -> None:
    assert not {(importer, imported) for importer, imported in KNOWN if imported not in imports[importer]}
