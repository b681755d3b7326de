"""Both processes react to what happens to one of them. `ddp_worker.py` trained the pairs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

from sslreg import Run

pytestmark = pytest.mark.slow  # for the start of the pair


def assert_same(one: Run, other: Run) -> None:
    states = [run.checkpoint()["state_dict"] for run in (one, other)]
    assert states[0].keys() == states[1].keys()
    assert [name for name, value in states[0].items() if not torch.equal(value, states[1][name])] == []
    assert one.folder.metrics.read_text() == other.folder.metrics.read_text()


@pytest.mark.parametrize("name", ["skipped", "rewound"])
def test_a_step_that_one_process_cannot_take_is_left_out_by_both(pair: Path, name: str) -> None:
    """The batches 5, 10 and 15 are not finite in the second process alone."""
    run = Run(pair / name)
    with run.folder.metrics.open(newline="") as file:
        empty = [row["step"] for row in csv.DictReader(file) if row["lr"] and not row["loss"]]
    assert empty == ["6", "11", "16"]
    assert (run.summary["status"], run.summary["steps"], run.summary["skipped_steps"]) == ("finished", 21, 3)
    first, second = (torch.load(pair / f"{name}-{rank}.pt", weights_only=False)["state"] for rank in range(2))
    shared = [key for key in first if "running" not in key]
    assert "loss.memory_bank.rows" in shared
    assert [key for key in shared if not torch.equal(first[key], second[key])] == []
    assert [key for key, value in second.items() if not value.isfinite().all()] == []


def test_both_go_back_together_and_end_where_skipping_would_have(pair: Path) -> None:
    """The loss of step 6 spoils the weights, and step 7 shows it; the steps that follow are watched."""
    rewound = Run(pair / "rewound")
    assert rewound.summary["rewound_at"] == [4]
    assert rewound.summary["resumed_at"] == []
    assert_same(Run(pair / "skipped"), rewound)


def test_a_share_without_an_image_that_can_be_read_takes_those_that_follow(pair: Path) -> None:
    """Each process has one sample of a batch, so every broken image leaves a share with none; two epochs."""
    run = Run(pair / "broken shares")
    assert (run.summary["status"], run.summary["skipped_samples"]) == ("finished", 2 * 3)
    with (run.path / "skipped.csv").open(newline="") as file:
        assert sorted(row["name"] for row in csv.DictReader(file)) == ["03.png", "09.png", "14.png"]
    trained = [epoch_and_index for rank in range(2) for epoch_and_index in views(pair, "broken shares", rank)]
    assert {3, 9, 14}.isdisjoint(index for _, index in trained)


def views(pair: Path, name: str, rank: int) -> dict[tuple[int, int], torch.Tensor]:
    return torch.load(pair / f"{name}-{rank}.pt", weights_only=False)["views"]


@pytest.mark.parametrize(
    ("name", "step", "heard"), [("both asked", 7, (0, 1)), ("first asked", 4, (0,)), ("second asked", 13, (1,))]
)
def test_whichever_process_hears_sigterm_both_save_and_resume(
    pair: Path, name: str, step: int, heard: tuple[int, ...]
) -> None:
    """After the step that was running, and bit for bit."""
    for rank in range(2):
        by = " by SIGTERM" if rank in heard else ""
        assert (pair / f"{name}-{rank}.txt").read_text() == f"75: interrupted{by} after step {step}"
    run = Run(pair / name)
    assert (run.summary["status"], run.summary["resumed_at"]) == ("finished", [step])
    assert_same(Run(pair / "moco"), run)
