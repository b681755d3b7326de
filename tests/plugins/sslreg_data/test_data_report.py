"""The report on a spec or a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sslreg
from sslreg_data.data_report import DataReport, report_data


@contextmanager
def no_progress(count: int) -> Iterator[Callable[[int], None]]:
    yield lambda done: None


def report(target: object, *overrides: str, limit: int | None = None) -> DataReport:
    return report_data(str(target), overrides, limit, no_progress)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    levels = np.random.default_rng(0).integers(0, 256, (12, 48, 60, 3), dtype=np.uint8)
    for number, image in enumerate(levels):
        path = tmp_path / "pets" / ("cats" if number % 2 else "dogs") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return tmp_path / "pets"


def test_a_folder_with_classes_is_divided_and_evaluated(pets: Path) -> None:
    found = report(pets)
    assert found.summaries["train"]["classes"] == {"cats": 6, "dogs": 6}
    assert found.suggested_spec is not None
    assert found.suggested_spec["data"]["split"] == {"test": 0.2}
    assert found.suggested_spec["data"]["train"]["labels"] == "folders"
    assert found.suggested_spec["name"] == "pets"


def test_a_folder_without_classes_stays_whole(pets: Path) -> None:
    found = report(pets / "cats")
    assert found.suggested_spec is not None
    assert "split" not in found.suggested_spec["data"]
    assert found.suggested_spec["data"]["train"]["labels"] == "none"
    assert "evaluate" not in found.suggested_spec


def test_the_suggested_spec_trains(pets: Path, tmp_path: Path) -> None:
    text = report(pets, "seed=1").format_spec()
    assert text is not None
    (tmp_path / "mine.yaml").write_text(text)
    small = [
        "trainer.max_epochs=1",
        "schedule=null",
        "data.batch_size=4",
        "data.workers=0",
        "evaluate=[{use: knn, k: 2}]",
    ]
    spec = sslreg.load_spec(tmp_path / "mine.yaml", [*small, "data.split={test: 0.4}"])
    assert "knn_top1" in sslreg.train(spec, tmp_path / "run").summary["final"]


def test_a_spec_keeps_its_data_sets() -> None:
    found = report("digits-simclr", limit=20)
    assert set(found.summaries) == {"train", "test"}
    assert found.summaries["test"]["examined"] == 20
    assert found.shared == {"test": 0}
    assert found.suggested_spec is not None
    assert found.suggested_spec["data"]["test"] == {"use": "digits", "split": "test"}


def test_images_of_the_test_set_in_the_training_set_are_counted() -> None:
    found = report("digits-simclr", "data.test={use: digits, split: train}", limit=20)
    assert found.shared == {"test": 20}


def test_a_folder_keeps_its_channels_unless_told(pets: Path) -> None:
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(pets / "cats" / "gray.png")
    assert report(pets).summaries["train"]["normalize"] is None
    assert len(report(pets, "data.channels=1").summaries["train"]["normalize"]["mean"]) == 1


def test_nothing_readable_means_no_spec(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"broken")
    found = report(tmp_path)
    assert found.suggested_spec is None
    assert found.format_spec() is None


def test_neither_spec_nor_folder() -> None:
    with pytest.raises(sslreg.UserError, match="there is no spec or folder 'nowhere'"):
        report("nowhere")
