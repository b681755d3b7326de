"""A run whose data set is divided: what trains, evaluates, embeds, previews and resumes it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

import sslreg
from sslreg import Run, UserError
from sslreg.export.data_selection import select_data, select_evaluation_data
from sslreg.runs.run_evaluation import embed_split, evaluate_run
from sslreg.spec import parse_spec
from sslreg.training.resume import resume

SPLIT = ["data.test=null", "data.split={test: 0.3}", "data.batch_size=16", "trainer.max_epochs=1"]


def save_images(root: Path, names: range) -> None:
    for number in names:
        (root / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.new("L", (10, 9), number).save(root / "ab"[number % 2] / f"{number}.png")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images")
    save_images(root, range(80))
    return root


@pytest.fixture(scope="module")
def run(images: Path, tiny_spec: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    overrides = [f"data.train={{use: image_folder, root: '{images}'}}", *SPLIT]
    console = Console(record=True, file=io.StringIO())
    run = sslreg.train(
        parse_spec(tiny_spec, "tiny.yaml", overrides), tmp_path_factory.mktemp("runs") / "split", console=console
    )
    assert "train 55 samples, test 25\n" in console.export_text()
    return run


def test_parts_are_embedded_evaluated_and_previewed_as_they_were_trained(run: Run) -> None:
    train, test = (set(embed_split(run, split).names) for split in ("train", "test"))
    assert (len(train), len(test), len(train | test)) == (55, 25, 80)
    assert run.facts["num_samples"] == 55
    assert run.lock["data"]["train"]["samples"] == 55
    preview = sslreg.preview(run.spec, samples=80)
    assert {row.name for row in preview.rows} == train
    selected = select_evaluation_data(run)
    assert {selected.samples.name(index) for index in range(25)} == test
    assert select_data(run, "reference").split == "train"
    figures = evaluate_run(run, ["knn"]).by_subject
    assert figures["trained"]["knn_top1"] == pytest.approx(run.summary["final"]["neighbors_top1"])


def test_other_data_replace_all_parts(run: Run, images: Path, tiny_spec: str, tmp_path: Path) -> None:
    other = [f"data.train={{use: image_folder, root: '{images}'}}", "data.test=null", "data.split={test: 0.5}"]
    (tmp_path / "other.yaml").write_text(parse_spec(tiny_spec, "tiny.yaml", other).to_yaml())
    selected = select_data(run, "test", str(tmp_path / "other.yaml"))
    assert len(selected.samples) == 42
    assert selected.component["split"] == {"part": "test", "test": 0.5}
    assert len(select_data(run, "test", str(images)).samples) == 80
    figures = evaluate_run(run, ["knn"], sslreg.load_spec(tmp_path / "other.yaml")).by_subject
    assert set(figures) == {"trained", "raw_pixels", "untrained"}


def test_a_divided_run_resumes_unless_its_training_set_has_other_samples(run: Run, images: Path) -> None:
    lock = json.loads((run.path / "lock.json").read_text())
    resumed = resume(run.path, ["trainer.max_epochs=2"])
    assert resumed.summary["epochs"] == 2
    assert json.loads((run.path / "lock.json").read_text())["data"] == lock["data"]
    name = embed_split(run, "train").names[0]
    (images / name).rename(images / f"{name[:-4]} renamed{len(name)}.png")
    with pytest.raises(UserError, match=r"the training set has (other samples|54 samples)"):
        resume(run.path, ["trainer.max_epochs=3"])
