"""The Makefile: what an installation downloads, and from where."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone, as far as an installation is concerned."""
    for name in ("Makefile", "pyproject.toml", "constraints-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def list_commands(clone: Path, *arguments: str) -> list[str]:
    """Return the commands of a target, without running them."""
    result = subprocess.run(["make", "-n", *arguments], cwd=clone, capture_output=True, text=True, check=True)
    return result.stdout.splitlines()


def announce(clone: Path, *arguments: str, path: str = "/usr/bin:/bin") -> str:
    """Return the output of the command that announces the installation."""
    (command,) = (line for line in list_commands(clone, *arguments) if "downloads about 0.4 GB" in line)
    return subprocess.check_output(["sh", "-c", command], cwd=clone, env={"PATH": path}, text=True)


@pytest.mark.parametrize("target", ["setup", "demo", "test"])
def test_torch_cpu_installs_pytorch_from_its_own_index_before_the_rest(clone: Path, target: str) -> None:
    installations = [line for line in list_commands(clone, target, "TORCH=cpu") if " pip install " in line]
    assert installations[0].endswith("--no-deps --index-url https://download.pytorch.org/whl/cpu torch torchvision")
    assert "--constraint constraints-dev.txt" in installations[0]
    assert installations[1].endswith("--editable .")
    assert not any("--index-url" in line for line in list_commands(clone, target))


def test_another_build_of_pytorch_is_refused(clone: Path) -> None:
    result = subprocess.run(["make", "setup", "TORCH=gpu"], cwd=clone, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "TORCH is gpu, but must be `default` or `cpu`" in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, PyTorch comes without CUDA")
def test_an_installation_announces_its_size_and_a_smaller_one_without_a_gpu(clone: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "ls", "uname"):
        (tools / tool).symlink_to(shutil.which(tool) or "")
    without = announce(clone, "demo", path=str(tools))
    assert "downloads about 3.2 GB" in without
    assert "no NVIDIA GPU found: 'make demo TORCH=cpu' downloads only about 0.4 GB" in without
    assert "0.4 GB" in announce(clone, "demo", "TORCH=cpu", path=str(tools))
    assert "3.2 GB" not in announce(clone, "demo", "TORCH=cpu", path=str(tools))
    (tools / "nvidia-smi").write_text("#!/bin/sh\n")
    (tools / "nvidia-smi").chmod(0o755)
    assert "TORCH=cpu" not in announce(clone, "demo", path=str(tools))


def test_an_installed_pytorch_is_not_announced_again(clone: Path) -> None:
    (clone / ".venv/lib/python3.11/site-packages/torch").mkdir(parents=True)
    assert announce(clone, "setup") == ""


def test_a_gpu_is_tested_and_measured_only_where_there_is_one(clone: Path) -> None:
    commands = list_commands(clone, "gpu")
    place = next(number for number, command in enumerate(commands) if "cuda.is_available()" in command)
    check = "\n".join(commands[place : place + 2]).replace(".venv/bin/python", sys.executable)
    without = {"PATH": os.environ["PATH"], "CUDA_VISIBLE_DEVICES": ""}
    refused = subprocess.run(["sh", "-c", check], env=without, capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr == "make gpu needs an NVIDIA GPU and a PyTorch with CUDA; PyTorch sees no GPU here\n"
    # A make within a make also prints the folder that it leaves.
    assert [line.split(" -m ", 1)[1] for line in commands[place + 2 :] if " -m " in line] == [
        "pytest -m gpu",
        "benchmarks.device_views",
        "benchmarks.nt_xent --device cuda",
        "benchmarks.step --device cuda",
    ]
