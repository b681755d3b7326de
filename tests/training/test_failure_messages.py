"""Failures of the machine: a run ends with one message, and resumes once the cause is fixed."""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import sslreg
from sslreg import Run, SslregError, UserError
from sslreg.runs.records import read_run
from sslreg.spec import parse_spec
from sslreg.training.failure_messages import explain_failure


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 20 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Leave no room in a file system."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def test_a_full_disk_is_one_message_and_the_last_checkpoint_is_good(
    tiny_spec: str, small_disk: Path, moco, at_step, undisturbed: Path, assert_same, caplog: pytest.LogCaptureFixture
) -> None:
    at_step(12, lambda: fill(small_disk))
    path = small_disk / "run"
    options = [*moco, "checkpoint.every_steps=5"]
    with pytest.raises(SslregError, match=r"last\.ckpt cannot be written: no space is left on its disk") as caught:
        sslreg.train(parse_spec(tiny_spec, "tiny.yaml", options), path)
    assert len(caught.value.diagnostics) == 1
    assert caught.value.diagnostics[0].hint == f"make room there; then resume with: sslreg train --resume {path}"
    assert caplog.records == []
    assert Run(path).summary["status"] == "running"  # there was no room to say so
    assert read_run(path).state == "dead"
    assert Run(path).checkpoint()["global_step"] == 10
    assert Run(path).model() is not None
    (small_disk / "filler").unlink()
    assert sslreg.resume(path).summary["resumed_at"] == [10]
    assert_same(undisturbed, path)


def test_a_disk_that_is_full_from_the_start_is_known_before_the_first_step(tiny_spec: str, small_disk: Path) -> None:
    filler = fill(small_disk)
    os.truncate(filler, filler.stat().st_size - 40_000)
    with pytest.raises(SslregError, match="no space is left"):
        sslreg.train(parse_spec(tiny_spec, "tiny.yaml", ["evaluate=[]"]), small_disk / "run")
    assert not (small_disk / "run" / "metrics.csv").exists()


def test_a_file_that_cannot_be_written_is_named(tiny_spec: str, tmp_path: Path, at_step) -> None:
    """As a folder whose owner, quota or mount has changed."""

    def spoil() -> None:
        (tmp_path / "run" / "metrics.csv").unlink()
        (tmp_path / "run" / "metrics.csv").mkdir()

    at_step(3, spoil)
    options = ["evaluate=[]", "trainer.log_every_n_steps=1"]
    with pytest.raises(SslregError, match=r"metrics\.csv cannot be written: Is a directory"):
        sslreg.train(parse_spec(tiny_spec, "tiny.yaml", options), tmp_path / "run")
    assert Run(tmp_path / "run").summary["status"] == "failed"


def test_a_worker_that_is_killed_loses_no_step(
    tiny_spec: str, tmp_path: Path, moco, at_step, undisturbed: Path, assert_same
) -> None:
    """torch would raise wherever the run happens to be; here it is between two steps."""

    def kill() -> None:
        (worker,) = multiprocessing.active_children()
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)

    at_step(8, kill)
    path = tmp_path / "run"
    with pytest.raises(SslregError, match="was killed, most likely because memory ran out") as caught:
        sslreg.train(parse_spec(tiny_spec, "tiny.yaml", [*moco, "data.workers=1", "evaluate=[]"]), path)
    assert "lower data.workers" in str(caught.value)
    (step,) = sslreg.resume(path, ["data.workers=0"]).summary["resumed_at"]
    assert step >= 9
    whole = Run(undisturbed).checkpoint()["state_dict"]
    assert all(torch.equal(value, whole[name]) for name, value in Run(path).checkpoint()["state_dict"].items())


@pytest.fixture
def images(photos: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number:02}.jpg").write_bytes((photos / "rgb.jpg").read_bytes())
    return folder


def of_images(tiny_spec: str, folder: Path, *overrides: str) -> sslreg.Spec:
    options = [
        f"data={{train: {{use: image_folder, root: '{folder}'}}, batch_size: 4}}",
        "views.0.augment=[{use: random_resized_crop, size: 24}]",
        "evaluate=[]",
        "trainer.max_epochs=4",
    ]
    return parse_spec(tiny_spec, "tiny.yaml", [*options, *overrides])


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_vanishes_is_named_and_the_run_resumes_when_it_is_back(
    tiny_spec: str, images: Path, tmp_path: Path, at_step, workers: int
) -> None:
    whole = sslreg.train(of_images(tiny_spec, images), tmp_path / "whole")
    lost = images / "07.jpg"
    content = lost.read_bytes()
    at_step(5, lost.unlink)
    path = tmp_path / "run"
    with pytest.raises(UserError, match=r"07\.jpg") as caught:
        sslreg.train(of_images(tiny_spec, images, f"data.workers={workers}"), path)
    assert f"then resume with: sslreg train --resume {path}" in str(caught.value)
    with pytest.raises(UserError, match="the training set has 11 samples, and had 12"):
        sslreg.resume(path)
    lost.write_bytes(content)
    (step,) = sslreg.resume(path).summary["resumed_at"]
    assert step >= 6
    states = [Run(folder).checkpoint()["state_dict"] for folder in (whole.path, path)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_an_image_that_vanishes_may_be_skipped_and_is_listed(
    tiny_spec: str, images: Path, tmp_path: Path, at_step
) -> None:
    at_step(5, (images / "07.jpg").unlink)
    run = sslreg.train(of_images(tiny_spec, images, "data.on_error=skip"), tmp_path / "run")
    assert run.summary["status"] == "finished"
    with (run.path / "skipped.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["07.jpg"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB."), "the device has no memory left"),
        (MemoryError("Unable to allocate 3 GiB"), "the machine has no memory left: Unable to allocate 3 GiB"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "the machine has no memory left"),
        (RuntimeError("DataLoader worker (pid(s) 12, 13) exited unexpectedly"), r"\(pid\(s\) 12, 13\) was killed"),
        (RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed. "), r"\(pid 12\) was killed"),
        (OSError(5, "Input/output error", "a.jpg"), r"a\.jpg: Input/output error"),
    ],
)
def test_a_failure_of_the_machine_is_explained(error: BaseException, message: str) -> None:
    found = explain_failure(error)
    assert found is not None
    with pytest.raises(SslregError, match=message):
        raise found


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    assert explain_failure(RuntimeError("shapes do not fit")) is None
