"""sslreg plugins new"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sslreg.cli.scaffold import EXAMPLES, version_range, write_package
from sslreg.registry import KINDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated package of each kind; the folder ``site`` contains their metadata, as pip would install it."""
    folder = tmp_path_factory.mktemp("packages")
    for kind in KINDS:
        name = f"acme-{kind.replace('_', '-')}"
        write_package(name, kind, folder / name)
        metadata = folder / "site" / f"acme_{kind}-0.1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
        (metadata / "entry_points.txt").write_text(f"[sslreg]\nacme_{kind} = acme_{kind}\n")
    return folder


def run_in(packages: Path, *command: object) -> None:
    """Run a command with the packages on the path; its output is shown if it fails."""
    path = os.pathsep.join(map(str, (packages / "site", *packages.glob("acme-*/src"))))
    environment = {**os.environ, "PYTHONPATH": path, "MYPYPATH": path, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=packages,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_every_generated_package_passes_its_own_tests(packages: Path) -> None:
    run_in(packages, "pytest", "-q", "-W", "error", "--import-mode=importlib", *packages.glob("acme-*"))


def test_every_generated_package_is_formatted_and_lints(packages: Path) -> None:
    run_in(packages, "ruff", "check", "--no-cache", ".")
    run_in(packages, "ruff", "format", "--check", "--no-cache", ".")


@pytest.mark.slow
def test_every_generated_package_passes_mypy(packages: Path) -> None:
    modules = [option for kind in KINDS for option in ("-p", f"acme_{kind}")]
    run_in(packages, "mypy", "--strict", "--cache-dir", ROOT / ".mypy_cache", *modules)


@pytest.mark.slow
def test_a_generated_package_is_installed_by_pip(wheel_environment, tmp_path: Path) -> None:
    folder = tmp_path / "acme-loss"
    wheel_environment.sslreg("plugins", "new", "acme-loss", "--kind", "loss", cwd=tmp_path)
    wheel_environment.install("--editable", folder)
    try:
        assert "acme_loss (acme-loss 0.1.0)" in wheel_environment.sslreg("plugins", "doctor", cwd=tmp_path)
        assert "ok" in wheel_environment.sslreg("check", folder / "specs" / "acme-loss.yaml", cwd=tmp_path)
    finally:
        wheel_environment.uninstall("acme-loss")


def test_the_command_prints_the_files_and_the_next_commands(cli, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = cli("plugins", "new", "acme-noise", "--kind", "augmentation")
    assert result.status == 0
    assert "acme-noise/src/acme_noise/augmentation.py" in result.out
    assert "pip install -e ." in result.out
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(
        result.out.partition("\n\n")[0].splitlines()
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("acme-noise", "--kind", "augmentatoin"), "did you mean 'augmentation'"),
        (("Acme Noise", "--kind", "loss"), "for example acme-noise"),
        (("torch", "--kind", "loss"), "there is already a package 'torch'"),
        (("acme-noise", "--kind", "loss", "--to", "taken"), "taken exists already"),
    ],
)
def test_invalid_names_and_folders_are_refused(cli, tmp_path: Path, monkeypatch, arguments, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    result = cli("plugins", "new", *arguments)
    assert (result.status, result.out) == (2, "")
    assert message in result.err
    assert len(list(tmp_path.rglob("*"))) == 2


def test_every_kind_has_an_example() -> None:
    assert set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize(
    ("version", "range_"), [("0.1.0", ">=0.1,<0.2"), ("0.12.3", ">=0.12,<0.13"), ("1.4.0", ">=1.4,<2")]
)
def test_the_version_range_ends_at_the_next_incompatible_version(version: str, range_: str) -> None:
    assert version_range(version) == range_
