"""Trains the same small problem in one, two and three processes, and writes down what each of them saw.

Usage: distributed_worker.py FOLDER. FOLDER/WORLD-RANK.pt holds what `everything` returns there. A program of its
own, because processes can only be forked before torch has started threads.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sslreg import Loss, SslregError
from sslreg_losses import DCLLoss, NTXentLoss, SupConLoss
from sslreg_memory_banks import FIFOMemoryBank

SAMPLES, DIM, STEPS = 12, 5, 100


def bank() -> FIFOMemoryBank:
    """Its size is no multiple of any batch, so that it wraps in every way."""
    return FIFOMemoryBank(31, DIM, dtype="float64")


LOSSES: dict[str, Callable[[], Loss]] = {
    "nt_xent": lambda: NTXentLoss(0.2, gather_distributed=True),
    "nt_xent one direction": lambda: NTXentLoss(0.2, gather_distributed=True, symmetric=False),
    "nt_xent bank": lambda: NTXentLoss(0.2, bank(), gather_distributed=True),
    "nt_xent both": lambda: NTXentLoss(0.2, bank(), gather_distributed=True, negatives="both", symmetric=True),
    "dcl": lambda: DCLLoss(0.2, gather_distributed=True),
    "sup_con": lambda: SupConLoss(0.2, gather_distributed=True),
}


def everything(rank: int, world: int) -> dict[str, Any]:
    part = slice(rank * SAMPLES // world, (rank + 1) * SAMPLES // world)
    seen: dict[str, Any] = {}
    for name, make in LOSSES.items():
        for count in (2, 3):
            seen[f"{name}, {count} views"] = value_and_gradients(make(), count, part)
        seen[f"{name}, DDP"] = parameters_gradient(make(), part, world)
    seen["trained"] = trained(part, world, STEPS)
    state = trained(part, world, STEPS // 2)
    seen["resumed"] = trained(part, world, STEPS // 2, state)
    seen["local bank"] = local_bank(part)
    seen["local loss"] = value_and_gradients(NTXentLoss(0.2), 2, part)
    if world == 1:
        thirds = [slice(start, start + SAMPLES // 3) for start in range(0, SAMPLES, SAMPLES // 3)]
        seen["local loss of thirds"] = [value_and_gradients(NTXentLoss(0.2), 2, third) for third in thirds]
    if world > 1:
        seen["unequal loss"] = refusal(lambda: NTXentLoss(gather_distributed=True)(*views(2, slice(0, 2 + rank))))
        seen["unequal bank"] = refusal(lambda: bank().enqueue(views(2, slice(0, 2 + rank))[0]))
    return seen


def views(count: int, part: slice, step: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(step)
    whole = torch.randn(count, SAMPLES, DIM, dtype=torch.float64, generator=generator)
    return [view[part] for view in whole]


def targets(part: slice) -> Tensor:
    return (torch.arange(SAMPLES) % 5)[part]


def value_and_gradients(loss: Loss, count: int, part: slice) -> dict[str, Tensor]:
    loss(*(view.requires_grad_() for view in views(count, part, step=1)), targets=targets(part))
    loss.commit()
    leaves = [view.requires_grad_() for view in views(count, part, step=2)]
    value = loss(*leaves, targets=targets(part))
    return {"value": value.detach(), "gradients": torch.stack(torch.autograd.grad(value, leaves))}


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(DIM, 8), nn.Tanh(), nn.Linear(8, DIM)).double()


def parallel(module: nn.Module, world: int) -> nn.Module:
    return DistributedDataParallel(module) if world > 1 else module


def parameters_gradient(loss: Loss, part: slice, world: int) -> Tensor:
    """After DDP's averaging."""
    module = parallel(model(), world)
    embeddings = module(torch.cat(views(2, part))).chunk(2)
    loss(*embeddings, targets=targets(part)).backward()
    return torch.cat([parameter.grad.flatten() for parameter in module.parameters()])


def trained(part: slice, world: int, steps: int, state: dict[str, Any] | None = None) -> dict[str, Any]:
    """A model, its loss with a bank and their step, after `steps` more of them."""
    # Of one parameter: DDP cuts several into other pieces in its first step than later, and rounds otherwise there.
    module, loss, first = nn.Linear(DIM, DIM, bias=False).double(), NTXentLoss(0.2, bank()), 0
    nn.init.eye_(module.weight)
    if state is not None:
        module.load_state_dict(state["module"])
        loss.load_state_dict(state["loss"])
        first = state["step"]
    wrapped = parallel(module, world)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for step in range(first, first + steps):
        query, key = wrapped(torch.cat(views(2, part, step))).chunk(2)
        optimizer.zero_grad()
        loss(query, key).backward()
        optimizer.step()
        loss.commit()
    return {"module": module.state_dict(), "loss": loss.state_dict(), "step": first + steps}


def local_bank(part: slice) -> Tensor:
    own = FIFOMemoryBank(31, DIM, dtype="float64", gather=False)
    own.enqueue(views(2, part)[0])
    own.commit()
    return own.negatives()


def refusal(action: Callable[[], Any]) -> str:
    try:
        action()
    except SslregError as error:
        return str(error)
    return "was accepted"


def process(rank: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous-{world}", rank=rank, world_size=world)
    torch.save(everything(rank, world), folder / f"{world}-{rank}.pt")
    if world > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    for world in (1, 2, 3):
        processes = [context.Process(target=process, args=(rank, world, Path(sys.argv[1]))) for rank in range(world)]
        for one in processes:
            one.start()
        for one in processes:
            one.join()
        if any(one.exitcode for one in processes):
            sys.exit(f"a process of {world} failed")
