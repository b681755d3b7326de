"""An undisturbed run, and a check that another run is the same."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sslreg
from sslreg import Run
from sslreg.spec import parse_spec
from sslreg.training.lightning_module import TrainingModule

#: Overrides for a run with everything that a checkpoint has to hold: a momentum encoder, a bank, shuffled statistics.
MOCO = (
    "model={use: moco, backbone: {use: convnet, width: 4, depth: 3}, projection: [16], momentum: 0.9, bn_splits: 2}",
    "loss.memory_bank={use: fifo, size: 200}",
    "evaluate.0.every=1",
)


@pytest.fixture(scope="session")
def moco() -> tuple[str, ...]:
    return MOCO


@pytest.fixture(scope="session")
def undisturbed(tiny_spec: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs of 21 steps from start to end."""
    spec = parse_spec(tiny_spec, "tiny.yaml", MOCO)
    return sslreg.train(spec, tmp_path_factory.mktemp("undisturbed") / "run").path


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Path, Path], None]:
    """Asserts that two runs have the same weights, banks, optimizer states, metrics and final figures, to the bit."""

    def check(one: Path, other: Path) -> None:
        states = [Run(path).checkpoint() for path in (one, other)]
        weights = [state["state_dict"] for state in states]
        assert weights[0].keys() == weights[1].keys()
        for name, value in weights[0].items():
            assert torch.equal(value, weights[1][name]), name
        moments = [state["optimizer_states"][0]["state"] for state in states]
        for parameter, momentum in moments[0].items():
            assert torch.equal(momentum["momentum_buffer"], moments[1][parameter]["momentum_buffer"])
        assert rows(one) == rows(other)
        assert Run(one).summary["final"] == Run(other).summary["final"]

    return check


@pytest.fixture
def at_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """Call `action` once, in the middle of the step after `step` steps."""

    def plan(step: int, action: Callable[[], None]) -> None:
        original, done = TrainingModule.training_step, []

        def training_step(self: TrainingModule, batch, batch_idx):
            if self.global_step == step and not done:
                done.append(True)
                action()
            return original(self, batch, batch_idx)

        monkeypatch.setattr(TrainingModule, "training_step", training_step)

    return plan


@pytest.fixture(scope="session")
def pair(tiny_spec: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes trained the runs of `ddp_worker.py`: they start slowly, so once for all."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "tiny.yaml").write_text(tiny_spec)
    (folder / "images").mkdir()
    generator = np.random.default_rng(0)
    for number in range(16):
        image = folder / "images" / f"{number:02}.png"
        Image.fromarray(generator.integers(0, 256, (8, 8), dtype=np.uint8)).save(image)
        if number in (3, 9, 14):
            image.write_text("not an image")
    worker = Path(__file__).with_name("ddp_worker.py")
    result = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", str(worker), str(folder)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return folder
