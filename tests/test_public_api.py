"""The package's front: what it offers, and what looking at it costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sslreg


@pytest.mark.parametrize("name", sslreg.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(sslreg, name) is not None


def test_type_checkers_are_told_the_same_names() -> None:
    tree = ast.parse(Path(sslreg.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    told = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told == set(sslreg.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'NTXent'"):
        sslreg.NTXent  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = (
        "import sys, sslreg; heavy = {'torch', 'numpy', 'pydantic', 'pluggy'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
