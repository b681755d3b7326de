"""The plugin guide is correct."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import sslreg
from sslreg.cli import main
from sslreg.registry import hookspecs, installed
from sslreg.runs.run_hooks import call_run_finished
from sslreg.testing import temporary_components
from sslreg.testing.case import Case
from sslreg.testing.conformance import checks_of

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "plugins.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


@pytest.fixture(scope="module")
def generator() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        yield import_module("plugin_reference")
    for name in ("plugin_reference", "docstrings"):
        del sys.modules[name]


def test_the_reference_is_current(generator: ModuleType) -> None:
    assert generator.insert_reference(GUIDE) == GUIDE, "run: python docs/plugin_reference.py"


def test_every_hook_is_documented() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("sslreg_")}
    assert hooks
    assert {name for name in hooks if f"**`{name}(" not in GUIDE} == set()


def test_every_hook_has_a_default_plugin_that_uses_it() -> None:
    modules = [sys.modules[plugin.module] for plugin in installed().plugins if plugin.distribution == "sslreg"]
    for name in (name for name in vars(hookspecs) if name.startswith("sslreg_")):
        assert any(hasattr(module, name) for module in modules), name


def test_the_plugin_and_the_component_of_the_guide_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site) -> None:
    plugin = next(block for block in BLOCKS if block.startswith("# acme_ssl/__init__.py"))
    loss = next(block for block in BLOCKS if block.startswith("# acme_ssl/loss.py"))
    (tmp_path / "acme_ssl").mkdir()
    (tmp_path / "acme_ssl" / "__init__.py").write_text(plugin)
    (tmp_path / "acme_ssl" / "loss.py").write_text(loss)
    monkeypatch.syspath_prepend(str(tmp_path))
    site.install("acme-ssl", "from acme_ssl import *\nfrom acme_ssl import sslreg_api, sslreg_register\n")
    info = installed().get("loss", "acme_loss")
    assert (info.distribution, info.summary) == ("acme-ssl", "mean squared distance of two views")
    assert sslreg.build("loss", "acme_loss", weight=2.0).weight == 2.0


@pytest.mark.parametrize("name", ["Darken", "Halve", "Invert"])
def test_the_augmentations_of_the_guide_keep_the_contract(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = next(block for block in BLOCKS if f"class {name}(sslreg.Augmentation)" in block)
    (tmp_path / f"guide_{name.lower()}.py").write_text(block)
    monkeypatch.syspath_prepend(str(tmp_path))
    target = getattr(import_module(f"guide_{name.lower()}"), name)
    with temporary_components(augmentation={name.lower(): target}) as catalog:
        case = Case(catalog.get("augmentation", name.lower()))
        for check in checks_of("augmentation"):
            with contextlib.suppress(pytest.skip.Exception):
                check(case)


def test_the_reader_of_the_guide_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = next(block for block in BLOCKS if "class Farbfeld(sslreg.Reader)" in block)
    (tmp_path / "guide_farbfeld.py").write_text(block)
    monkeypatch.syspath_prepend(str(tmp_path))
    image = b"farbfeld" + (5).to_bytes(4) + (4).to_bytes(4) + bytes(range(160))
    with temporary_components(reader={"farbfeld": import_module("guide_farbfeld").Farbfeld}) as catalog:
        case = Case(catalog.get("reader", "farbfeld"), images=[image])
        for check in checks_of("reader"):
            with contextlib.suppress(pytest.skip.Exception):
                check(case)


def test_the_hooks_of_the_guide_work(
    site, tiny_run: sslreg.Run, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    site.install("acme-notes", next(block for block in BLOCKS if "def sslreg_run_finished" in block))
    call_run_finished(tiny_run)
    assert (tiny_run.path / "note.txt").read_text() == "tiny: finished"
    monkeypatch.setattr(sys, "argv", ["sslreg", "disk", str(tiny_run.path)])
    with pytest.raises(SystemExit):
        main()
    assert int(capsys.readouterr().out) > 1000


def test_the_temporary_components_of_the_guide_work() -> None:
    block = next(block for block in BLOCKS if "import temporary_components" in block)
    namespace = {
        "sslreg": sslreg,
        "MyLoss": installed().get("loss", "nt_xent").load(),
        "temporary_components": temporary_components,
    }
    exec(block + "\ntest_it_pairs_with_a_bank()", namespace)
