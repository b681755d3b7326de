import argparse
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sslreg_backbones.weight_files import hash_file, read_tensors

STATE = {"conv1.weight": torch.arange(6.0).reshape(1, 2, 3)}


class Settings:
    """An object of a training program, whose class a reader lacks."""

    def __init__(self) -> None:
        self.path = Path("here")


@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "before torch 1.6"])
def test_objects_that_are_no_tensors_are_ignored(is_archive: bool, tmp_path: Path) -> None:
    content = {
        "teacher": {"backbone": STATE},
        "args": argparse.Namespace(arch="vit_small", output_dir=Path("out")),
        "epoch": 3,
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}}],
        **({"loss": np.float64(0.5), "history": np.zeros(3), "settings": Settings()} if is_archive else {}),
    }
    torch.save(content, tmp_path / "weights.pth", _use_new_zipfile_serialization=is_archive)
    torch.testing.assert_close(
        read_tensors(tmp_path / "weights.pth"), {"teacher.backbone.conv1.weight": STATE["conv1.weight"]}
    )


def test_a_configuration_of_omegaconf_is_ignored(tmp_path: Path) -> None:
    omegaconf = pytest.importorskip("omegaconf", reason="DINOv2 saves its settings with it")
    torch.save(
        {**STATE, "config": omegaconf.OmegaConf.create({"crops": {"sizes": [224, 98]}})}, tmp_path / "weights.pth"
    )
    assert list(read_tensors(tmp_path / "weights.pth")) == ["conv1.weight"]


class Malicious:
    """An object whose loading calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("is_archive", [True, False], ids=["archive", "before torch 1.6"])
@pytest.mark.parametrize("name", ["eval", "exec", "subprocess", "system"])
def test_nothing_in_a_file_is_executed(name: str, is_archive: bool, tmp_path: Path) -> None:
    trace, code = tmp_path / "executed", f"__import__('os').mkdir({str(tmp_path / 'executed')!r})"
    calls: dict[str, Malicious] = {
        "eval": Malicious(eval, code),
        "exec": Malicious(exec, code),
        "subprocess": Malicious(subprocess.check_call, ["touch", str(trace)]),
        "system": Malicious(os.system, f"touch {trace}"),
    }
    torch.save({**STATE, "args": calls[name]}, tmp_path / "weights.pth", _use_new_zipfile_serialization=is_archive)
    try:
        assert list(read_tensors(tmp_path / "weights.pth")) == ["conv1.weight"]
    except ValueError as error:
        assert "would be executed" in str(error)  # noqa: PT017 - both outcomes are safe
    assert not trace.exists()
    torch.load(tmp_path / "weights.pth", weights_only=False)
    assert trace.exists()


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_truncated_file_is_an_error(suffix: str, tmp_path: Path) -> None:
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    if suffix == "pth":
        torch.save(STATE, whole)
    else:
        save_file(STATE, whole)
    cut.write_bytes(whole.read_bytes()[:-20])
    assert list(read_tensors(whole)) == ["conv1.weight"]
    with pytest.raises(ValueError, match=r"cut\.\w+ is neither a safetensors file .* or it is truncated: \w+"):
        read_tensors(cut)


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [torch.zeros(2)], torch.nn.Linear(2, 2)])
def test_a_file_without_a_state_dict_is_an_error(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match=r"must hold a state dict .* of a whole module, save its state_dict\(\)"):
        read_tensors(tmp_path / "weights.pth")


def test_names_lose_what_compilation_and_sharding_insert(tmp_path: Path) -> None:
    names = ("_orig_mod.norm.bias", "blocks.0._checkpoint_wrapped_module._fsdp_wrapped_module.ls1.gamma")
    torch.save({name: torch.zeros(1) for name in names}, tmp_path / "weights.pth")
    assert list(read_tensors(tmp_path / "weights.pth")) == ["norm.bias", "blocks.0.ls1.gamma"]


def test_the_hash_is_that_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert hash_file(tmp_path / "file").startswith("ba7816bf8f01cfea414140de5dae2223")
