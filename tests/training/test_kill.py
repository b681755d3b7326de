"""A process that is killed or asked to stop, again and again, at steps that chance picks."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import sslreg
from sslreg import Run

#: How many runs are stopped, and how often each. Several runs keep all cores busy to the end.
RUNS, KILLS = 4, max(1, int(os.environ.get("SSLREG_KILLS", "4")) // 4)
OVERRIDES = [
    "model={use: moco, backbone: {use: convnet, width: 4, depth: 3}, projection: [16], momentum: 0.9, bn_splits: 2}",
    "loss.memory_bank={use: fifo, size: 200}",
    f"trainer.max_epochs={3 + KILLS}",
    "checkpoint.every_minutes=1.0e-9",
    "data.workers=1",
]


def steps_done(folder: Path) -> int:
    """The last step that metrics.csv shows whole."""
    try:
        lines = (folder / "metrics.csv").read_text().split("\n")[1:-1]
    except FileNotFoundError:
        return 0
    return max((int(line.split(",")[0]) for line in lines), default=0)


@pytest.mark.slow
@pytest.mark.independent
@pytest.mark.parametrize("seed", range(RUNS))
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_survives_being_stopped(tiny_spec: str, tmp_path: Path, number: signal.Signals, seed: int) -> None:
    """The signal reaches all of the run's processes, as that of a terminal or a queue does."""
    (tmp_path / "tiny.yaml").write_text(tiny_spec)
    undisturbed = sslreg.train(sslreg.load_spec(tmp_path / "tiny.yaml", OVERRIDES), tmp_path / "undisturbed")
    broken = tmp_path / "broken"
    command = str(Path(sys.executable).with_name("sslreg"))
    start = [command, "train", "tiny.yaml", "--out", "broken", *(w for o in OVERRIDES for w in ("--set", o))]
    # Sums over more threads round differently, and this process computes with one.
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    generator = random.Random(seed)
    last = 0
    for _ in range(KILLS):
        target = last + generator.randint(2, 25)
        process = subprocess.Popen(start, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, start_new_session=True)
        while steps_done(broken) < target and process.poll() is None:
            time.sleep(0.002)
        assert process.poll() is None, process.stderr and process.stderr.read()
        os.killpg(process.pid, number)
        _, said = process.communicate()
        if number == signal.SIGTERM:
            assert process.returncode == 75
            assert b"interrupted by SIGTERM" in said
            assert b"Traceback" not in said
        last = steps_done(broken)
        start = [command, "train", "--resume", "broken"]
    resumed = sslreg.resume(broken)

    at = resumed.summary["resumed_at"]
    assert len(at) == KILLS
    assert at == sorted(at)
    assert at[0] >= 1
    states = [Run(path).checkpoint()["state_dict"] for path in (undisturbed.path, broken)]
    assert [name for name, value in states[0].items() if not torch.equal(value, states[1][name])] == []
    metrics = [(path / "metrics.csv").read_text() for path in (undisturbed.path, broken)]
    assert metrics[0] == metrics[1]
    assert resumed.summary["final"] == undisturbed.summary["final"]
