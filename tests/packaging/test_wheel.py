"""The built wheel, installed where nothing of this checkout is on the path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from sslreg.registry import installed
from sslreg.spec import shipped_specs

ROOT = Path(__file__).parents[2]


def run(*command: object, cwd: Path = ROOT) -> str:
    """The command's output; what it said on standard error if it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SSLREG"))}
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def sslreg_command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`sslreg` from the wheel alone, in an environment that borrows this one's dependencies but not its sslreg."""
    folder = tmp_path_factory.mktemp("wheel")
    # hatchling is part of the environment that runs the tests, so nothing has to be fetched to build.
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=True, symlinks=True)
    python = folder / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel)
    lent = folder / "lent"
    lent.mkdir()
    (here,) = {path for path in map(Path, sys.path) if path.name == "site-packages"}
    for entry in here.iterdir():
        if "sslreg" not in entry.name:
            (lent / entry.name).symlink_to(entry)
    (site,) = (folder / "env" / "lib").glob("python*/site-packages")
    (site / "lent.pth").write_text(f"{lent}\n")
    return folder / "env" / "bin" / "sslreg"


def test_the_wheel_provides_every_default_component(sslreg_command: Path, tmp_path: Path) -> None:
    listed = json.loads(run(sslreg_command, "plugins", "list", "--json", cwd=tmp_path))["plugins"]
    assert {plugin["name"]: plugin["error"] for plugin in listed if plugin["status"] != "loaded"} == {}
    found = {(component["kind"], component["name"]) for plugin in listed for component in plugin["components"]}
    assert found == {(info.kind, info.name) for info in installed() if info.distribution == "sslreg"}


def test_the_wheel_carries_every_shipped_spec(sslreg_command: Path, tmp_path: Path) -> None:
    specs = json.loads(run(sslreg_command, "specs", "list", "--json", cwd=tmp_path))["specs"]
    assert {spec["name"] for spec in specs} == set(shipped_specs())


def test_the_wheels_components_can_be_loaded(sslreg_command: Path, tmp_path: Path) -> None:
    assert "digits-moco.yaml: ok" in run(sslreg_command, "check", "digits-moco", cwd=tmp_path)
