"""Simulated processes compute what a process group does."""

import pytest
import torch
import torch.distributed as dist

from sslreg import distributed
from sslreg.testing.simulated_processes import SimulatedProcesses


def test_collective_operations_combine_the_processes_with_gradients() -> None:
    rows = [torch.full((2, 3), float(rank), requires_grad=True) for rank in range(2)]

    def step(own: torch.Tensor) -> torch.Tensor:
        everyone = distributed.gather_rows(own)
        (everyone.sum() * (distributed.rank() + 1)).backward()
        return everyone.detach()

    processes = SimulatedProcesses()
    results = processes.run([lambda own=own: step(own) for own in rows])

    for gathered, own in zip(results, rows, strict=True):
        assert torch.equal(gathered, torch.tensor([0.0, 0, 1, 1])[:, None].expand(4, 3))
        assert torch.equal(own.grad, torch.full((2, 3), 3.0))
    assert processes.collectives > 0


def test_operations_of_torch_work_too() -> None:
    def combine() -> list[float]:
        tensor = torch.tensor([dist.get_rank() + 1.0])
        largest, everyone = tensor.clone(), torch.empty(2)
        dist.all_reduce(largest, dist.ReduceOp.MAX)
        dist.all_gather_into_tensor(everyone, tensor)
        dist.broadcast(tensor, src=1)
        dist.barrier()
        return [*largest.tolist(), *everyone.tolist(), *tensor.tolist()]

    assert SimulatedProcesses().run([combine, combine]) == [[2.0, 1.0, 2.0, 2.0]] * 2
    assert not dist.is_initialized()


def test_a_process_that_waits_in_vain_is_an_error() -> None:
    def gather() -> None:
        distributed.gather_rows(torch.ones(1, 1))

    for functions in ([gather, lambda: None], [lambda: None, gather]):
        with pytest.raises(AssertionError, match="waits for a collective operation"):
            SimulatedProcesses().run(functions)


def test_the_error_of_a_process_is_raised_rather_than_that_others_wait() -> None:
    with pytest.raises(ZeroDivisionError):
        SimulatedProcesses().run([lambda: distributed.mean(torch.ones(1)), lambda: 1 / 0])
