"""Several processes equal one that has the whole batch. `distributed_worker.py` is their program, with all losses.

Other toolkits have gathered without gradient, lost or gained a factor of the number of processes, shifted labels by
the rank where nothing was gathered, assumed batches of one size, and let one process overwrite the others' banks.
"""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

WORKER = Path(__file__).with_name("distributed_worker.py")
NAMES = runpy.run_path(str(WORKER))
CASES = NAMES["CASES"]
#: Each loss with each number of views, and those that take batches of different sizes with such batches.
STEPS = [
    *(f"{name}, {count} views" for name, case in CASES.items() for count in case.views),
    *(f"{name}, unequal parts" for name in NAMES["UNEQUAL"]),
]

#: In float64.
TOLERANCE = 1e-12

Results = dict[tuple[int, int], dict[str, Any]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The results of each process, by (processes, rank)."""
    folder = tmp_path_factory.mktemp("distributed")
    subprocess.run([sys.executable, str(WORKER), str(folder)], check=True, timeout=240)
    return {(world, rank): torch.load(folder / f"{world}-{rank}.pt") for world in (1, 2, 3) for rank in range(world)}


def of_all(results: Results, world: int, name: str) -> list[Any]:
    return [results[world, rank][name] for rank in range(world)]


def assert_close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("step", STEPS)
def test_mean_loss_and_summed_gradients_equal_one_process(results: Results, step: str, world: int) -> None:
    one, several = results[1, 0][step], of_all(results, world, step)
    assert_close(torch.stack([process["value"] for process in several]).mean(), one["value"])
    assert_close(torch.cat([process["gradients"] for process in several], dim=1) / world, one["gradients"])


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("step", STEPS)
def test_buffers_and_banks_equal_one_process(results: Results, step: str, world: int) -> None:
    for process in of_all(results, world, step):
        torch.testing.assert_close(process["state"], results[1, 0][step]["state"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("loss", CASES)
def test_gradients_that_ddp_averages_equal_one_process(results: Results, loss: str, world: int) -> None:
    for gradient in of_all(results, world, f"{loss}, DDP"):
        assert_close(gradient, results[1, 0][f"{loss}, DDP"])


def test_without_gathering_a_process_has_the_loss_of_its_own_batch(results: Results) -> None:
    for got, expected in zip(of_all(results, 3, "local loss"), results[1, 0]["local loss of thirds"], strict=True):
        assert_close(got["value"], expected["value"])
        assert_close(got["gradients"], expected["gradients"])


@pytest.mark.parametrize("world", [2, 3])
def test_bank_after_100_steps_is_the_same_on_every_process(results: Results, world: int) -> None:
    first, *others = (process["loss"] for process in of_all(results, world, "trained"))
    assert len(others) == world - 1
    for other in others:
        assert first.keys() == other.keys()
        assert all(torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_bank_after_a_resume_is_that_of_a_run_without_one(results: Results, world: int) -> None:
    for trained, resumed in zip(of_all(results, world, "trained"), of_all(results, world, "resumed"), strict=True):
        for part in ("module", "loss"):
            assert all(torch.equal(trained[part][key], resumed[part][key]) for key in trained[part])


@pytest.mark.parametrize("world", [2, 3])
def test_bank_is_that_of_one_process(results: Results, world: int) -> None:
    bank = "memory_bank.rows"
    assert_close(results[world, 0]["trained"]["loss"][bank], results[1, 0]["trained"]["loss"][bank])


@pytest.mark.parametrize("world", [2, 3])
def test_bank_that_does_not_gather_holds_the_keys_of_its_process(results: Results, world: int) -> None:
    assert torch.equal(torch.cat(of_all(results, world, "local bank")), results[1, 0]["local bank"])


@pytest.mark.parametrize("world", [2, 3])
def test_unequal_batches_are_refused_on_every_process(results: Results, world: int) -> None:
    for message in of_all(results, world, "unequal loss"):
        assert f"batches of one size, but the processes have {[2 * (2 + rank) for rank in range(world)]}" in message
    for message in of_all(results, world, "unequal bank"):
        assert f"batches of one size, but the processes have {[2 + rank for rank in range(world)]}" in message
