"""The command in two processes, on the CPU through gloo: what they leave behind, and how they end when one dies."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sslreg
from sslreg import Run
from sslreg.assembly.epoch_sampler import EpochSampler

TWO = ["trainer.devices=2", "trainer.strategy=ddp"]
#: What `ddp_worker.py` trained as "moco", with a checkpoint after every step.
MOCO = [
    *TWO,
    "evaluate=[]",
    "trainer.max_epochs=1",
    "trainer.precision=64-true",
    "model={use: moco, backbone: {use: convnet, width: 4, depth: 3}, projection: [16], momentum: 0.9}",
    "loss={use: nt_xent, memory_bank: {use: fifo, size: 200, dtype: float64}}",
    "schedule=null",
    "checkpoint.every_minutes=1.0e-9",
]


@pytest.fixture
def start(tiny_spec: str, tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts ``sslreg`` with arguments where tiny.yaml is."""
    (tmp_path / "tiny.yaml").write_text(tiny_spec)

    def popen(*arguments: str, launcher: tuple[str, ...] = ("-m", "sslreg")) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *launcher, *arguments],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return popen


def sets(overrides: list[str]) -> list[str]:
    return [word for override in overrides for word in ("--set", override)]


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.slow
@pytest.mark.independent
def test_two_processes_train_one_run(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    process = start("train", "tiny.yaml", *sets([*TWO, "loss.gather_distributed=true", "trainer.max_epochs=1"]))
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr

    (folder,) = (tmp_path / "runs" / "tiny").iterdir()
    run = sslreg.load_run(folder)
    assert run.summary["status"] == "finished"
    assert json.loads((folder / "lock.json").read_text())["facts"]["world_size"] == 2
    with (folder / "metrics.csv").open(newline="") as file:
        steps = [row["step"] for row in csv.DictReader(file) if row["loss"]]
    assert steps == [str(step) for step in range(1, 1348 // 64 + 1)]
    assert stdout.count(run.timing["summary"]) == 1
    assert run.timing["measured"]["processes"] == 2
    assert stdout.count("everything is in") == stderr.count("evaluating baselines") == 1
    assert run.backbone() is not None


def wait_for_step(process: subprocess.Popen[str], folder: Path, step: int) -> None:
    metrics = folder / "metrics.csv"
    while process.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") > step):
        time.sleep(0.002)


@pytest.mark.slow
def test_the_processes_that_a_run_has_started_go_back_with_it(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, pair: Path
) -> None:
    process = start(str(tmp_path), "rewound", launcher=(str(Path(__file__).parents[1] / "ddp_worker.py"),))
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert stderr.count("going back to step 4") == 1
    run, skipped = Run(tmp_path / "rewound"), Run(pair / "skipped")
    assert run.summary["rewound_at"] == [4]
    assert run.folder.metrics.read_text() == skipped.folder.metrics.read_text()
    states = [each.checkpoint()["state_dict"] for each in (run, skipped)]
    assert [name for name, value in states[0].items() if not torch.equal(value, states[1][name])] == []


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_run_that_is_asked_to_stop_and_then_killed_goes_on_each_time_and_under_torchrun(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, pair: Path
) -> None:
    """SIGTERM reaches the second process alone, then both, as that of a queue does; SIGKILL the second one."""
    process = start("train", "tiny.yaml", "--out", "run", *sets(MOCO))
    for number in (2, 5):
        wait_for_step(process, tmp_path / "run", number)
        asked = children(process.pid) if number == 2 else [process.pid, *children(process.pid)]
        for each in asked:
            os.kill(each, signal.SIGTERM)
        _, stderr = process.communicate()
        assert process.returncode == 75, stderr
        assert stderr.count("sslreg train --resume run") == 1
        assert "Traceback" not in stderr
        assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "interrupted"
        process = start("train", "--resume", "run")

    wait_for_step(process, tmp_path / "run", 9)
    for child in children(process.pid):
        os.kill(child, signal.SIGKILL)
    _, stderr = process.communicate()
    assert process.returncode == 1, stderr
    assert "the process of rank 1 was killed by signal 9 (SIGKILL)" in stderr
    assert "sslreg train --resume run" in stderr
    assert "Traceback" not in stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "failed"

    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "sslreg")
    process = start("train", "--resume", "run", launcher=torchrun)
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert stdout.count("everything is in") == 1
    resumed, whole = Run(tmp_path / "run"), Run(pair / "moco")
    assert len(resumed.summary["resumed_at"]) == 3
    assert resumed.summary["resumed_at"][0] >= 2
    states = [run.checkpoint()["state_dict"] for run in (resumed, whole)]
    assert [name for name, value in states[0].items() if not torch.equal(value, states[1][name])] == []
    assert resumed.folder.metrics.read_text() == whole.folder.metrics.read_text()


@pytest.mark.slow
@pytest.mark.independent
def test_an_error_in_the_second_process_ends_the_first_one_too(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    second = [index for _, index in EpochSampler(8, 4, rank=1, world_size=2)]
    (tmp_path / "images").mkdir()
    for number in range(8):
        image = tmp_path / "images" / f"{number}.png"
        Image.fromarray(np.full((8, 8), number, dtype=np.uint8)).save(image)
        if number == second[-1]:
            image.write_text("not an image")
    data = ["data.train={use: image_folder, root: images}", "data.test=null", "evaluate=[]", "data.batch_size=4"]
    process = start("train", "tiny.yaml", "--out", "run", *sets([*TWO, *data]))
    _, stderr = process.communicate()
    assert process.returncode == 1, stderr
    assert f"{second[-1]}.png cannot be read" in stderr
    assert "the process of rank 1 ended with status" in stderr
    assert "Traceback" not in stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["status"] == "failed"
