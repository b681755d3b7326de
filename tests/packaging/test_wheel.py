"""The built wheel, installed where no part of this checkout is on the path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sslreg.registry import installed
from sslreg.spec import shipped_specs

pytestmark = pytest.mark.slow


def test_the_wheel_provides_every_default_component(wheel_environment, tmp_path: Path) -> None:
    listed = json.loads(wheel_environment.sslreg("plugins", "list", "--json", cwd=tmp_path))["plugins"]
    assert {plugin["name"]: plugin["error"] for plugin in listed if plugin["status"] != "loaded"} == {}
    found = {(component["kind"], component["name"]) for plugin in listed for component in plugin["components"]}
    assert found == {(info.kind, info.name) for info in installed() if info.distribution == "sslreg"}


def test_the_wheel_carries_every_shipped_spec(wheel_environment, tmp_path: Path) -> None:
    specs = json.loads(wheel_environment.sslreg("specs", "list", "--json", cwd=tmp_path))["specs"]
    assert {spec["name"] for spec in specs} == set(shipped_specs())


def test_the_components_of_the_wheel_can_be_loaded(wheel_environment, tmp_path: Path) -> None:
    assert "digits-moco.yaml: ok" in wheel_environment.sslreg("check", "digits-moco", cwd=tmp_path)
