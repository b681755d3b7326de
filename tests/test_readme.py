"""The code blocks of the README work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import sslreg

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def in_folder_of_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to a folder with the spec of the README, its training shortened."""
    (spec,) = [block for block in blocks("yaml") if block.startswith("version")]
    assert "max_epochs: 10" in spec
    (tmp_path / "digits.yaml").write_text(spec.replace("max_epochs: 10", "max_epochs: 1"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_spec_is_valid(in_folder_of_spec: Path) -> None:
    assert sslreg.load_spec("digits.yaml").warnings == ()


def run_block(code: str) -> dict[str, Any]:
    """Run a block and return its names."""
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    return names


def test_the_same_as_python_trains_and_embeds(in_folder_of_spec: Path) -> None:
    names = run_block(blocks("python")[1])
    assert names["run"].summary["status"] == "finished"
    assert len(names["features"]) == 449


def test_the_components_train_in_a_custom_loop(in_folder_of_spec: Path) -> None:
    names = run_block(blocks("python")[2])
    assert names["optimizer"].state_dict()["state"][0]["step"] == 1348 // 256


def test_a_run_is_opened_as_shown(tiny_run: sslreg.Run) -> None:
    first = re.sub(r'load_run\(".*?"\)', f"load_run({str(tiny_run.path)!r})", blocks("python")[0])
    names = run_block(first)
    assert names["backbone"].num_features > 0
    assert callable(names["preprocess"])


def test_the_commands_exist(cli_commands: set[str]) -> None:
    mentioned = set(re.findall(r"(?:^|`)sslreg (\w+)", README, re.MULTILINE))
    assert mentioned <= cli_commands
    assert "make test" in README


@pytest.fixture
def cli_commands() -> set[str]:
    import typer

    from sslreg.cli.app import app

    # With the commands of plugins, such as `data`.
    group = typer.main.get_command(app)
    return set(group.list_commands(group.make_context("sslreg", ["train"])))


def test_the_overrides_for_a_computer_without_a_gpu_fit_the_spec() -> None:
    found = re.search(r"^`((?:--set \S+ ?)+)`", README, re.MULTILINE)
    assert found is not None
    overrides = [override.strip() for override in found[1].split("--set ")[1:]]
    spec = sslreg.load_spec("folder-simclr", overrides)
    assert spec.views[0].augment[0].params["size"] == 96
    assert spec.trainer["max_epochs"] == 20
