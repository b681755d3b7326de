"""Barlow Twins as a third party would publish it, next to the wheel of sslreg."""

from __future__ import annotations

import json
import runpy
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "sslreg-barlow"


def components(wheel_environment, folder: Path) -> set[str]:
    plugins = json.loads(wheel_environment.sslreg("plugins", "list", "--json", cwd=folder))["plugins"]
    return {f"{component['kind']}/{component['name']}" for plugin in plugins for component in plugin["components"]}


def test_it_is_installed_trains_and_is_uninstalled(wheel_environment, tmp_path: Path) -> None:
    ours = {"model/barlow_twins", "loss/barlow_twins"}
    package = shutil.copytree(EXAMPLE, tmp_path / "sslreg-barlow")
    wheel_environment.install(package)
    try:
        assert ours <= components(wheel_environment, tmp_path)
        run = tmp_path / "run"
        wheel_environment.sslreg(
            *("train", package / "specs" / "digits-barlow.yaml", "--out", run),
            *("--set", "trainer={max_epochs: 1, accelerator: cpu}"),
            cwd=tmp_path,
        )
        summary = json.loads((run / "summary.json").read_text())
        locked = json.loads((run / "lock.json").read_text())["components"]
        assert summary["status"] == "finished"
        assert {name: locked[name]["distribution"] for name in ours} == dict.fromkeys(ours, "sslreg-barlow")
    finally:
        wheel_environment.uninstall("sslreg-barlow")
    assert not ours & components(wheel_environment, tmp_path)


def test_its_own_tests_pass(site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE / "src"))
    site.install("sslreg-barlow", "from sslreg_barlow import sslreg_api, sslreg_register\n")
    tests = runpy.run_path(str(EXAMPLE / "tests" / "test_sslreg_barlow.py"))
    for parameters in tests["test_conformance"].pytestmark[0].args[1]:
        with suppress(pytest.skip.Exception):
            tests["test_conformance"](*parameters.values)
    for name, test in tests.items():
        if name.startswith("test_") and name != "test_conformance":
            test()
