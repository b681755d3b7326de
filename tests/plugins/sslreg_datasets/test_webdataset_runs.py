"""Runs on shards: going on in the middle of an epoch, and samples that cannot be read."""

from __future__ import annotations

import csv
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sslreg
from sslreg import UserError
from sslreg.spec import parse_spec
from sslreg.training.lightning_module import TrainingModule

pytest.importorskip("webdataset")

#: Two epochs of 10 steps.
SHARDS, SAMPLES, BATCH, STEPS = 4, 25, 10, 10


class PowerCutError(Exception):
    """Stands for whatever ends a process without a goodbye."""


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shards with images of noise."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder, random = tmp_path / "shards", np.random.default_rng(0)
    folder.mkdir()
    for shard in range(SHARDS):
        with tarfile.open(folder / f"{shard}.tar", "w") as tar:
            for number in range(SAMPLES):
                file = io.BytesIO()
                Image.fromarray(random.integers(0, 256, (10, 10), dtype=np.uint8)).save(file, "PNG")
                entry = tarfile.TarInfo(f"{number:02}.png")
                entry.size = file.tell()
                tar.addfile(entry, io.BytesIO(file.getvalue()))
    return folder


@pytest.fixture
def train(tiny_spec: str, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Trains and returns the run's folder and the samples of each of its steps; `cut`: where the power goes."""

    def run(name: str, *overrides: str, cut: int | None = None, resume: bool = False) -> tuple[Path, list[list[int]]]:
        steps: list[list[int]] = []
        original = TrainingModule.training_step

        def noting(self, batch, batch_idx):
            if self.global_step == cut:
                raise PowerCutError
            steps.append(batch.indices.tolist())
            return original(self, batch, batch_idx)

        data = f"{{use: webdataset, shards: '{shards}/{{0..3}}.tar', lanes: 2, shuffle: 20}}"
        spec = parse_spec(
            tiny_spec,
            "tiny.yaml",
            [
                f"data={{train: {data}, channels: 1, batch_size: {BATCH}}}",
                "evaluate=[]",
                "checkpoint.every_minutes=1.0e-9",
                *overrides,
            ],
        )
        with monkeypatch.context() as patch:
            patch.setattr(TrainingModule, "training_step", noting)
            if cut is None:
                path = (sslreg.resume(tmp_path / name) if resume else sslreg.train(spec, tmp_path / name)).path
            else:
                path = tmp_path / name
                with pytest.raises(PowerCutError):
                    sslreg.train(spec, path)
        return path, steps

    return run


@pytest.mark.parametrize(("cut", "workers"), [(5, 0), (STEPS + 7, 2)])
def test_a_run_that_was_cut_off_ends_as_one_that_was_not(train, cut: int, workers: int) -> None:
    undisturbed, steps = train("undisturbed")
    broken, before = train("broken", f"data.workers={workers}", cut=cut)
    _, after = train("broken", resume=True)
    assert len(steps) == 2 * STEPS
    assert before[:cut] + after == steps
    first = [index for step in steps[:STEPS] for index in step]
    assert sorted(first) == list(range(SHARDS * SAMPLES)) != first
    states = [sslreg.load_run(path).checkpoint()["state_dict"] for path in (undisturbed, broken)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


def broken_image(shards: Path) -> None:
    """A member whose content is no image any more."""
    path = shards / "1.tar"
    content = bytearray(path.read_bytes())
    at = content.index(b"\x89PNG", content.index(b"03.png"))
    content[at : at + 30] = bytes(30)
    path.write_bytes(content)


def torn(shards: Path) -> None:
    """A shard that ends within its sample 22: that sample 21 is whole would be known by the next one's start."""
    path = shards / "1.tar"
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"22.png") + 520])


@pytest.mark.parametrize(("damage", "missing"), [(broken_image, [28]), (torn, [46, 47, 48, 49])])
def test_what_cannot_be_read_gives_way_to_other_samples_where_the_spec_says_so(
    train, shards: Path, damage, missing: list[int]
) -> None:
    damage(shards)
    path, steps = train("run", "data.train.samples=25", "data.on_error=skip", "trainer.max_epochs=1", "data.workers=1")
    asked = [index for step in steps for index in step]
    assert len(steps) == STEPS
    assert set(asked) == set(range(SHARDS * SAMPLES)) - set(missing)
    with (path / "skipped.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert sorted(int(row["index"]) for row in listed) == missing
    assert all(row["name"].startswith("1/") for row in listed)


def test_a_torn_shard_ends_a_run_that_is_not_to_skip(train, shards: Path) -> None:
    torn(shards)
    with pytest.raises(UserError, match=r"1\.tar cannot be read beyond its first 21 samples"):
        train("run", "data.train.samples=25", "data.workers=1")
