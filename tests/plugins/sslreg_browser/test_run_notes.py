from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sslreg
from sslreg_browser.run_notes import SkippedImages, collect_notes, read_skipped

Read = Callable[..., sslreg.RunResults]


@pytest.fixture
def read(tiny_run: sslreg.Run, tmp_path: Path) -> Read:
    """Read a copy of a run with other values in its summary: ``read(status="interrupted")``."""

    def read_run(curves: dict[str, sslreg.Curve] | None = None, **values: Any) -> sslreg.RunResults:
        folder = tmp_path / "runs" / "tiny one"
        shutil.copytree(tiny_run.path, folder, dirs_exist_ok=True)
        summary = folder / "summary.json"
        summary.write_text(json.dumps(json.loads(summary.read_text()) | values))
        index = sslreg.RunIndex(folder.parent)
        index.refresh()
        (indexed,) = index.runs.values()
        (run,) = sslreg.collect_results([(indexed.record, curves or {})])
        return run

    return read_run


def test_a_finished_run_has_no_notes(read: Read) -> None:
    assert collect_notes(read()) == []


@pytest.mark.parametrize("status", ["interrupted", "failed", "running"])
def test_a_stopped_run_shows_how_it_resumes(read: Read, status: str) -> None:
    run = read(status=status)
    (note,) = collect_notes(run)
    assert note.command == f"sslreg train --resume '{run.record.path}'"
    shutil.rmtree(run.record.path / "checkpoints")
    (note,) = collect_notes(run)
    assert "no checkpoint" in note.text
    assert note.command == ""


def test_a_broken_run_names_the_file(read: Read) -> None:
    run = read()
    (run.record.path / "summary.json").write_text("{")
    index = sslreg.RunIndex(run.record.path)
    index.refresh()
    (indexed,) = index.runs.values()
    (results,) = sslreg.collect_results([(indexed.record, {})])
    assert collect_notes(results)[0].text == "The run is broken: summary.json is damaged."


def test_what_went_wrong_while_it_trained_is_noted(read: Read) -> None:
    guard = {"figure": "knn_top1", "start": 0.8, "latest": 0.5, "stopped_at": 7, "kept_step": 5, "max_drop": 0.1}
    run = read({"embedding_std": [(1, 0.9), (2, 0.01)]}, skipped_steps=3, guard=guard)
    texts = [note.text for note in collect_notes(run)]
    assert texts[0].startswith("The embeddings have collapsed: their standard deviation is 0.01")
    assert texts[1] == "Steps that were skipped because numbers were not finite: 3."
    assert texts[2].startswith("knn_top1: 0.800 before training, 0.500 after step 7")


def test_a_spec_that_cannot_be_used_here_says_why(read: Read) -> None:
    run = read()
    spec = run.record.path / "spec.resolved.yaml"
    spec.write_text(spec.read_text().replace("use: nt_xent", "use: nowhere"))
    (note,) = collect_notes(run)
    assert "The spec cannot be used here" in note.text
    assert "nowhere" in note.text


def test_skipped_images_are_listed_with_their_reasons(read: Read) -> None:
    record = read().record
    assert read_skipped(record) is None
    (record.path / "skipped.csv").write_text('index,name,reason\n3,a.jpg,truncated\n4,"b,c.jpg",not an image\n5,d')
    assert read_skipped(record) == SkippedImages(2, (("a.jpg", "truncated"), ("b,c.jpg", "not an image")))
