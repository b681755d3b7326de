"""Computes every loss in one, two and three processes, and saves the results of each process.

Usage: distributed_worker.py FOLDER. FOLDER/WORLD-RANK.pt holds the results of `compute_everything`. This is a separate
program, because processes can only be forked before torch has started threads.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sslreg import Loss, SslregError, distributed
from sslreg_losses import (
    BarlowTwinsLoss,
    BYOLLoss,
    DCLLoss,
    DINOLoss,
    DINOv2Loss,
    FeatureDistillationLoss,
    IBOTLoss,
    IJEPALoss,
    LeJEPALoss,
    MAELoss,
    MoCoV3Loss,
    NTXentLoss,
    SimilarityDistillationLoss,
    SimMIMLoss,
    SimSiamLoss,
    SupConLoss,
    SwAVLoss,
    VICRegLoss,
)
from sslreg_memory_banks import FIFOMemoryBank

SAMPLES, DIM, STEPS = 12, 5, 100

#: Positional and keyword arguments of a loss.
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Case(NamedTuple):
    """A loss whose value, gradients and buffers do not depend on the number of processes.

    Attributes:
        loss: Builds the loss.
        arguments: Makes its arguments from views (N, DIM) of the samples of a process and their targets (N,).
        views: The numbers of views to try.
    """

    loss: Callable[[], Loss]
    arguments: Callable[[list[Tensor], Tensor], Arguments] = lambda views, targets: ((*views,), {"targets": targets})
    views: tuple[int, ...] = (2,)

    def __call__(self, loss: Loss, views: list[Tensor], part: slice) -> Tensor:
        """Return the value of the loss for the samples of a process."""
        positional, keywords = self.arguments(views, make_targets(part))
        return loss(*positional, **keywords)


def pass_pair(views: list[Tensor], targets: Tensor) -> Arguments:
    """Make the arguments of a loss that takes two tensors and no targets."""
    return (views[0], views[1]), {}


def pass_scores(views: list[Tensor], targets: Tensor) -> Arguments:
    """Make the arguments of SwAV's loss, of two global views with this process's share of their queues."""
    world, rank = distributed.world_size(), distributed.rank()
    queues = [queue[rank::world].cos() for queue in make_views(2, slice(None), step=9)]
    scores = [view.sin() for view in views]
    return (scores[:2], scores[2:], queues), {}


def pass_patches(views: list[Tensor], targets: Tensor) -> Arguments:
    """Make predictions and the pixels of two patches per image; the images have different numbers of masked ones."""
    prediction, patches = (torch.stack([view, view.cos()], dim=1) for view in views)
    return (prediction, patches, targets[:, None] > torch.tensor([0, 2])), {}


def pass_tokens(views: list[Tensor], targets: Tensor) -> Arguments:
    """Make the arguments of iBOT's loss. The number of masked patches is the target, so it differs by process."""
    masks = (targets[:, None] > torch.arange(4)).expand(2, -1, -1)
    factors = torch.arange(1.0, 5.0, dtype=torch.float64)[:, None]
    patches = torch.stack([(view[:, None] * factors).sin() for view in views[:2]])
    return (views, views[:2], patches[masks], patches.cos()[masks], masks), {}


def pass_tokens_and_features(views: list[Tensor], targets: Tensor) -> Arguments:
    """Make the arguments of DINOv2's loss."""
    return (*pass_tokens(views, targets)[0], views[:2]), {}


def make_bank() -> FIFOMemoryBank:
    """Return a bank whose size is no multiple of any batch, so that it wraps in every way."""
    return FIFOMemoryBank(31, DIM, dtype="float64")


CASES = {
    "nt_xent": Case(lambda: NTXentLoss(0.2, gather_distributed=True), views=(2, 3)),
    "nt_xent one direction": Case(lambda: NTXentLoss(0.2, gather_distributed=True, symmetric=False), views=(2, 3)),
    "nt_xent bank": Case(lambda: NTXentLoss(0.2, make_bank(), gather_distributed=True), views=(2, 3)),
    "nt_xent both": Case(
        lambda: NTXentLoss(0.2, make_bank(), gather_distributed=True, negatives="both", symmetric=True), views=(2, 3)
    ),
    "dcl": Case(lambda: DCLLoss(0.2, gather_distributed=True), views=(2, 3)),
    "sup_con": Case(lambda: SupConLoss(0.2, gather_distributed=True), views=(2, 3)),
    "byol": Case(BYOLLoss, pass_pair),
    "barlow_twins": Case(BarlowTwinsLoss),
    "vicreg": Case(VICRegLoss),
    "simsiam": Case(SimSiamLoss, pass_pair),
    "moco_v3": Case(lambda: MoCoV3Loss(0.2), pass_pair),
    "dino": Case(lambda: DINOLoss(DIM, 1).double(), lambda views, targets: ((views, views[:2]), {}), (2, 3)),
    "ibot": Case(lambda: IBOTLoss(DIM, 1).double(), pass_tokens, (2, 3)),
    "dinov2": Case(lambda: DINOv2Loss(1), pass_tokens_and_features, (2, 3)),
    "swav": Case(SwAVLoss, pass_scores, (2, 3)),
    "feature_distillation": Case(FeatureDistillationLoss, pass_pair),
    "similarity_distillation": Case(lambda: SimilarityDistillationLoss(memory_bank=make_bank()), pass_pair),
    "mae": Case(MAELoss, pass_patches),
    "simmim": Case(SimMIMLoss, pass_patches),
    "ijepa": Case(IJEPALoss, pass_patches),
    "lejepa": Case(lambda: LeJEPALoss(directions=16), lambda views, targets: ((views[:2], views[2:]), {}), (2, 3)),
}

#: The losses that take batches of different sizes.
UNEQUAL = ("barlow_twins", "vicreg", "mae", "simmim", "ijepa")


def compute_everything(rank: int, world: int) -> dict[str, Any]:
    part = slice(rank * SAMPLES // world, (rank + 1) * SAMPLES // world)
    results: dict[str, Any] = {}
    for name, case in CASES.items():
        for count in case.views:
            results[f"{name}, {count} views"] = run_two_steps(case, count, part)
        results[f"{name}, DDP"] = parameters_gradient(case, part, world)
    for name in UNEQUAL:
        results[f"{name}, unequal parts"] = run_two_steps(CASES[name], 2, unequal_part(rank, world))
    results["trained"] = train(part, world, STEPS)
    state = train(part, world, STEPS // 2)
    results["resumed"] = train(part, world, STEPS // 2, state)
    results["local bank"] = local_bank(part)
    local = Case(lambda: NTXentLoss(0.2))
    results["local loss"] = run_two_steps(local, 2, part)
    if world == 1:
        thirds = [slice(start, start + SAMPLES // 3) for start in range(0, SAMPLES, SAMPLES // 3)]
        results["local loss of thirds"] = [run_two_steps(local, 2, third) for third in thirds]
    if world > 1:
        unequal = make_views(2, slice(0, 2 + rank))
        results["unequal loss"] = catch_refusal(lambda: NTXentLoss(gather_distributed=True)(*unequal))
        results["unequal bank"] = catch_refusal(lambda: make_bank().enqueue(unequal[0]))
    return results


def make_views(count: int, part: slice, step: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(step)
    whole = torch.randn(count, SAMPLES, DIM, dtype=torch.float64, generator=generator)
    return [view[part] for view in whole]


def unequal_part(rank: int, world: int) -> slice:
    return slice(rank**2 * SAMPLES // world**2, (rank + 1) ** 2 * SAMPLES // world**2)


def make_targets(part: slice) -> Tensor:
    return (torch.arange(SAMPLES) % 5)[part]


def run_two_steps(case: Case, count: int, part: slice) -> dict[str, Any]:
    """Return the loss, the gradients of the views, and the state after it, all of the second step."""
    loss = case.loss()
    for step in (1, 2):
        views = [view.requires_grad_() for view in make_views(count, part, step)]
        value = case(loss, views, part)
        gradients = torch.autograd.grad(value, views, materialize_grads=True)
        loss.commit()
    return {"value": value.detach(), "gradients": torch.stack(gradients), "state": loss.state_dict()}


def make_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(DIM, 8), nn.Tanh(), nn.Linear(8, DIM)).double()


def wrap(module: nn.Module, world: int) -> nn.Module:
    return DistributedDataParallel(module) if world > 1 else module


def parameters_gradient(case: Case, part: slice, world: int) -> Tensor:
    """Return the gradient of a model's parameters, which DDP averages."""
    module = wrap(make_model(), world)
    views = make_views(case.views[0], part)
    embeddings = list(module(torch.cat(views)).chunk(len(views)))
    case(case.loss(), embeddings, part).backward()
    return torch.cat([parameter.grad.flatten() for parameter in module.parameters()])


def train(part: slice, world: int, steps: int, state: dict[str, Any] | None = None) -> dict[str, Any]:
    """Train a model and a loss with a bank, from a state or from the start, and return their state."""
    # Of one parameter: DDP cuts several into other pieces in its first step than later, and rounds otherwise there.
    module, loss, first = nn.Linear(DIM, DIM, bias=False).double(), NTXentLoss(0.2, make_bank()), 0
    nn.init.eye_(module.weight)
    if state is not None:
        module.load_state_dict(state["module"])
        loss.load_state_dict(state["loss"])
        first = state["step"]
    wrapped = wrap(module, world)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for step in range(first, first + steps):
        query, key = wrapped(torch.cat(make_views(2, part, step))).chunk(2)
        optimizer.zero_grad()
        loss(query, key).backward()
        optimizer.step()
        loss.commit()
    return {"module": module.state_dict(), "loss": loss.state_dict(), "step": first + steps}


def local_bank(part: slice) -> Tensor:
    bank = FIFOMemoryBank(31, DIM, dtype="float64", gather=False)
    bank.enqueue(make_views(2, part)[0])
    bank.commit()
    return bank.negatives()


def catch_refusal(action: Callable[[], Any]) -> str:
    """Return the message of the error that an action raises."""
    try:
        action()
    except SslregError as error:
        return str(error)
    return "was accepted"


def process(rank: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous-{world}", rank=rank, world_size=world)
    torch.save(compute_everything(rank, world), folder / f"{world}-{rank}.pt")
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
