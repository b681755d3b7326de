"""sslreg data"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    levels = np.random.default_rng(0).integers(0, 256, (5, 40, 40, 3), dtype=np.uint8)
    (tmp_path / "my photos").mkdir()
    for number in range(6):  # the last repeats the first
        Image.fromarray(levels[number % 5]).save(tmp_path / "my photos" / f"{number}.png")
    return tmp_path / "my photos"


def test_findings_and_next_steps_are_printed(cli, folder: Path) -> None:
    result = cli("data", folder)
    assert result.status == 0
    assert result.out.startswith("train: 6 images\n  files        .png\n  size         40x40")
    assert "duplicates   1 image repeats another one\n               0.png = 5.png" in result.out
    assert "folder-simclr, data.channels 3, views of 32 pixels" in result.out
    assert result.out.endswith(
        f"next:\n  sslreg data '{folder}' --out mine.yaml\n  sslreg preview mine.yaml\n  sslreg train mine.yaml\n"
    )


def test_the_written_spec_passes_check(cli, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.yaml"
    assert cli("data", folder, "--out", out).status == 0
    assert cli("check", out).status == 0
    again = cli("data", folder, "--out", out)
    assert again.status == 2
    assert "exists" in again.err


def test_json_is_complete(cli, folder: Path) -> None:
    content = json.loads(cli("data", folder, "--json", "--images", "3").out)
    assert content["data"]["train"]["examined"] == 3
    assert content["suggested_spec"]["extends"] == "folder-simclr"
    assert content["advice"]


def test_images_of_both_data_sets_are_reported(cli) -> None:
    result = cli("data", "digits-simclr", "--images", "10", "--set", "data.test={use: digits, split: train}")
    assert "in train     10 images have the pixels of one of the training set" in result.out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "there is no spec or folder 'nowhere'"),
        (["empty"], "no image in 'empty'"),
        (["broken", "--out", "mine.yaml"], "no image of the training set can be read"),
        (["digits-simclr", "--set", "data.chanels=3"], "chanels"),
    ],
)
def test_a_mistake_is_one_message(
    cli, arguments: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("broken").mkdir()
    Path("broken/a.png").write_bytes(b"broken")
    result = cli("data", *arguments)
    assert result.status == 2
    assert reason in result.err
    assert not Path("mine.yaml").exists()
