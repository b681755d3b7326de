"""Training in two processes, on the CPU through gloo."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import sslreg


def test_two_processes_train_one_run(tiny_spec: str, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(tiny_spec)
    command = Path(sys.executable).with_name("sslreg")
    overrides = ["trainer.devices=2", "trainer.strategy=ddp", "loss.gather_distributed=true", "trainer.max_epochs=1"]
    options = [word for override in overrides for word in ("--set", override)]
    result = subprocess.run(
        [str(command), "train", "tiny.yaml", *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr

    (folder,) = (tmp_path / "runs" / "tiny").iterdir()
    run = sslreg.load_run(folder)
    assert run.summary["status"] == "finished"
    assert json.loads((folder / "lock.json").read_text())["facts"]["world_size"] == 2
    with (folder / "metrics.csv").open(newline="") as file:
        steps = [row["step"] for row in csv.DictReader(file) if row["loss"]]
    assert steps == [str(step) for step in range(1, 1348 // 64 + 1)]
    assert result.stdout.count("everything is in") == 1
    assert run.backbone() is not None
