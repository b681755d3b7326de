"""`sslreg train --dry-run` as a user sees it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def test_it_says_what_it_tried_and_what_the_training_takes(cli, tiny_spec: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(tiny_spec)
    result = cli("train", "tiny.yaml", "--dry-run")
    assert result.status == 0
    said = result.out.splitlines()
    assert said[0].startswith("trained 2 steps of 64 images: loss ")
    assert re.fullmatch(r"wrote a checkpoint of [\d.]+ MB, read it back and resumed from it", said[1])
    assert said[2].startswith("embedded 961 images: few_shot, neighbors ran")
    assert said[3].startswith("peak memory: ")
    assert said[4].startswith("an epoch of 21 steps takes about ")
    assert said[5:] == ["nothing is left behind"]
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


@pytest.mark.parametrize("arguments", [["digits-simclr", "--dry-run", "--out", "x"], ["--resume", "x", "--dry-run"]])
def test_it_is_for_a_new_run_that_is_not_kept(cli, arguments: list[str]) -> None:
    result = cli("train", *arguments)
    assert result.status == 2
    assert "--dry-run" in result.err
