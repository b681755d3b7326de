"""sslreg export"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sslreg import Run


def test_the_files_and_the_check_are_reported(cli, tiny_run: Run, tmp_path: Path) -> None:
    result = cli("export", tiny_run.path, "--format", "safetensors", "--out", tmp_path / "b.safetensors")
    assert (result.status, result.err) == (0, "")
    assert "checked on real images" in result.out
    assert str(tmp_path / "b.safetensors.md") in result.out


@pytest.mark.parametrize(
    ("form", "file", "message"),
    [
        ("safetensors", "b.pt", "must end in .safetensors"),
        ("torch_export", "b.pt", "must end in .pt2"),
        ("onnx", "b.pt2", "must end in .onnx"),
        ("safetensors", "nowhere/b.safetensors", "there is no folder"),
        ("pickle", "b.pt", "pickle"),
    ],
)
def test_an_unsuitable_file_is_refused(cli, tiny_run: Run, tmp_path: Path, form: str, file: str, message: str) -> None:
    result = cli("export", tiny_run.path, "--format", form, "--out", tmp_path / file)
    assert result.status == 2
    assert message in result.err
    assert not list(tmp_path.iterdir())


def test_onnx_without_its_extra_names_the_extra(
    cli, tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = cli("export", tiny_run.path, "--format", "onnx", "--out", tmp_path / "b.onnx")
    assert result.status == 2
    assert "pip install 'sslreg[onnx]'" in result.err
