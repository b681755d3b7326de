"""`sslreg train --dry-run` as a user sees it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest


def test_it_says_what_it_tried_and_what_the_training_takes(cli, tiny_spec: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(tiny_spec)
    result = cli("train", "tiny.yaml", "--dry-run")
    assert result.status == 0
    said = result.out.splitlines()
    assert said[0].startswith("trained 5 steps of 64 images: loss ")
    assert re.fullmatch(r"wrote a checkpoint of [\d.]+ MB, read it back and resumed from it", said[1])
    assert said[2].startswith("embedded 961 images: few_shot, neighbors ran")
    assert said[3].startswith("peak memory: ")
    assert said[4].startswith("an epoch of 21 steps takes about ")
    assert said[6] == "time of a step, the first one left out:"
    assert re.fullmatch(r"waiting for data +[\d.]+% +[\d.e-]+ ms *", said[8])
    assert any(re.fullmatch(r"writing a checkpoint takes [\d.]+ m?s", line) for line in said)
    assert any(re.fullmatch(r"evaluating 961 of 1,797 images takes [\d.]+ m?s", line) for line in said)
    assert any(line.startswith("loading a batch in the training process takes ") for line in said)
    assert all(len(line) <= 80 for line in said[7:16])
    assert said[-1] == "nothing is left behind"
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.yaml"]


def test_it_prints_json(cli, tiny_spec: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(tiny_spec)
    result = cli("train", "tiny.yaml", "--dry-run", "--json", "--set", "evaluate=[]")
    assert result.status == 0
    content = json.loads(result.out)
    assert len(content["losses"]) == 5
    assert content["seconds"] == pytest.approx(42 * content["timing"]["step_seconds"])
    assert sum(content["timing"]["step_shares"].values()) == pytest.approx(1)
    assert {"summary", "advice", "loading_shares"} <= set(content["timing"])


@pytest.mark.parametrize("arguments", [["digits-simclr", "--dry-run", "--out", "x"], ["--resume", "x", "--dry-run"]])
def test_it_is_for_a_new_run_that_is_not_kept(cli, arguments: list[str]) -> None:
    result = cli("train", *arguments)
    assert result.status == 2
    assert "--dry-run" in result.err


def test_only_a_dry_run_prints_json(cli) -> None:
    result = cli("train", "digits-simclr", "--json")
    assert result.status == 2
    assert "a run writes timing.json" in result.err
