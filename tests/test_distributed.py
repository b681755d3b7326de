"""Collective operations on two processes equal one process that has all rows, gradients included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from sslreg import SslregError, distributed

WORLD, ROWS, WIDTH = 2, 3, 4


def inputs(rank: int) -> Tensor:
    generator = torch.Generator().manual_seed(rank)
    return torch.randn(ROWS, WIDTH, dtype=torch.float64, generator=generator).requires_grad_()


def weights(rank: int, rows: int) -> Tensor:
    """What a process multiplies the result with, so that every process has another loss."""
    return torch.randn(rows, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(10 + rank))


OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gather_rows": distributed.gather_rows,
    "sum": distributed.sum,
    "mean": distributed.mean,
}

#: The same operations on the inputs of all processes.
REFERENCES: dict[str, Callable[[list[Tensor]], Tensor]] = {
    "gather_rows": torch.cat,
    "sum": lambda tensors: torch.stack(tensors).sum(dim=0),
    "mean": lambda tensors: torch.stack(tensors).mean(dim=0),
}


def worker(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=WORLD)
    results: dict[str, Any] = {"place": (distributed.rank(), distributed.world_size())}
    for name, operation in OPERATIONS.items():
        own = inputs(rank)
        result = operation(own)
        loss = (result.square() * weights(rank, len(result))).sum()
        results[name] = result.detach(), torch.autograd.grad(loss, own)[0]
    own = inputs(rank)
    # A gradient that is a transposed view, as a matrix product gives it.
    results["transposed"] = torch.autograd.grad((distributed.gather_rows(own).T @ weights(rank, 6)).sum(), own)[0]
    results["numbers"] = distributed.gather_rows(torch.arange(2) + 10 * rank)
    with pytest.raises(SslregError) as refusal:
        distributed.gather_rows(torch.zeros(2 + rank, WIDTH))
    results["refusal"] = str(refusal.value)
    (gradient,) = torch.autograd.grad(distributed.sum(own).square().sum(), own, create_graph=True)
    with pytest.raises(RuntimeError) as twice:
        gradient.sum().backward()
    results["second derivative"] = str(twice.value)
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The results of each process."""
    folder = tmp_path_factory.mktemp("distributed")
    mp.spawn(worker, (str(folder),), nprocs=WORLD)
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD)]


def test_processes_know_their_place(results: list[dict[str, Any]]) -> None:
    assert [process["place"] for process in results] == [(0, WORLD), (1, WORLD)]


@pytest.mark.parametrize("name", OPERATIONS)
def test_results_and_gradients_of_the_summed_losses_equal_one_process(results: list[dict[str, Any]], name: str) -> None:
    tensors = [inputs(rank) for rank in range(WORLD)]
    expected = REFERENCES[name](tensors)
    losses = [(expected.square() * weights(rank, len(expected))).sum() for rank in range(WORLD)]
    gradients = torch.autograd.grad(torch.stack(losses).sum(), tensors)
    for process, gradient in zip(results, gradients, strict=True):
        torch.testing.assert_close(process[name][0], expected.detach(), rtol=0, atol=1e-15)
        torch.testing.assert_close(process[name][1], gradient, rtol=0, atol=1e-14)


def test_the_gradient_of_a_transposed_result_finds_its_rows(results: list[dict[str, Any]]) -> None:
    expected = torch.stack([weights(rank, WORLD * ROWS) for rank in range(WORLD)]).sum(dim=(0, 2))
    for rank, process in enumerate(results):
        own = expected[rank * ROWS : (rank + 1) * ROWS, None].expand(ROWS, WIDTH)
        torch.testing.assert_close(process["transposed"], own, rtol=0, atol=1e-14)


def test_integers_are_gathered_too(results: list[dict[str, Any]]) -> None:
    assert [process["numbers"].tolist() for process in results] == [[0, 1, 10, 11]] * WORLD


def test_different_numbers_of_rows_are_refused_in_every_process(results: list[dict[str, Any]]) -> None:
    for process in results:
        assert "batches of one size, but the processes have [2, 3] rows" in process["refusal"]


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_one_process_keeps_its_values(operation: Callable[[Tensor], Tensor]) -> None:
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
    own = inputs(0)
    result = operation(own)
    assert torch.equal(result, own)
    assert torch.equal(torch.autograd.grad(result.sum(), own)[0], torch.ones_like(own))


def test_a_second_derivative_is_refused(results: list[dict[str, Any]]) -> None:
    assert all("once_differentiable" in process["second derivative"] for process in results)
