"""sslreg export"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from sslreg import Run

#: Names that leave their place in YAML, HTML, Markdown, CSV or a terminal that does not escape them.
HOSTILE = [
    "---\nlicense: evil\n---\n# title",
    "<script>alert(1)</script>",
    "[link](javascript:x) `code` **bold** | cell",
    "```\n# heading",
    "\x1b[31mred\x1b]0;title\x07",
    "a\u202egnp.exe",
    '": {"x": 1}, "',
]


def test_the_files_and_the_check_are_reported(cli, tiny_run: Run, tmp_path: Path) -> None:
    result = cli("export", tiny_run.path, "--format", "safetensors", "--out", tmp_path / "b.safetensors")
    assert (result.status, result.err) == (0, "")
    assert "checked on real images" in result.out
    assert str(tmp_path / "b.safetensors.md") in result.out


def test_patches_are_exported_on_request(cli, patch_run: Run, tmp_path: Path) -> None:
    result = cli("export", patch_run.path, "--format", "torch_export", "--patches", "--out", tmp_path / "b.pt2")
    assert (result.status, result.err) == (0, "")
    assert "patches" in (tmp_path / "b.pt2.md").read_text()
    refused = cli("export", patch_run.path, "--format", "safetensors", "--patches", "--out", tmp_path / "b.safetensors")
    assert refused.status == 2
    assert "--patches: a safetensors file has weights but no outputs" in refused.err


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


@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_leave_their_place_in_a_card(cli, tiny_run: Run, tmp_path: Path, name: str) -> None:
    """The names of a figure, of the exported file and, with a byte that is not UTF-8, of the run's folder."""
    folder = tmp_path / os.fsdecode(os.fsencode(name.replace("/", "_")) + b"\xe9")
    shutil.copytree(tiny_run.path, folder)
    summary = json.loads((folder / "summary.json").read_text())
    summary["final"][name] = 0.5
    (folder / "summary.json").write_text(json.dumps(summary))
    out = tmp_path / f"{name.replace('/', '_')}.safetensors"
    result = cli("export", folder, "--format", "safetensors", "--out", out)
    assert result.status == 0, result.err
    card = Path(f"{out}.md").read_text(encoding="utf-8")
    content = json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))
    assert content["file"] == out.name
    assert content["summary"]["final"][name] == 0.5
    for text in (card, result.out, result.err):
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
    prose = re.sub(r"\\.|(`+)(?!`).*?(?<!`)\1(?!`)", "", card, flags=re.DOTALL)  # without escapes and code
    assert not [markup for markup in ("<", "](", "**", "`") if markup in prose]
    lines = card.splitlines()
    assert [line for line in lines if line.startswith("# ")] == ["# tiny"]
    assert "license: evil" not in lines
    (row,) = [line for line in lines if line.startswith("|") and "| 0.5" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 5  # three columns and a name
