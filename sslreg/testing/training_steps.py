"""Training steps of a model under test, in the order of a run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sslreg.contracts import Batch, FrozenModule, Loss, Model, StepOutput, is_momentum_copy
from sslreg.contracts.loss import commit_staged
from sslreg.testing.case import Case
from sslreg.testing.tiny_components import RecordingLoss, make_batch_for


def build_model(case: Case, seed: int = 0) -> Model:
    """Build the model with the initial weights of a seed, in train mode."""
    torch.manual_seed(seed)
    model: Model = case.build()
    return model.train()


def run_step(
    model: Model, additional: int = 0, loss: Loss | None = None, *, seed: int = 0, batch: Batch | None = None
) -> StepOutput:
    """Run `Model.training_step`.

    Args:
        model: The model.
        additional: The number of additional views of each role, see `make_batch_for`.
        loss: The loss, by default one that takes what the model gives.
        seed: The seed of the batch.
        batch: The batch, if it is not that of `make_batch_for`.
    """
    torch.manual_seed(1)
    loss = loss or RecordingLoss(model.gives[0])
    return model.training_step(make_batch_for(model, additional, seed) if batch is None else batch, loss)


def backward(model: Model, output: StepOutput) -> None:
    """Compute the gradients of a step."""
    model.zero_grad()
    torch.autograd.backward(output.loss)


def take_step(model: Model, seed: int = 0, optimizer: torch.optim.Optimizer | None = None) -> Tensor:
    """Run a whole training step and return its loss.

    Args:
        model: The model.
        seed: The seed of the batch and, without an optimizer, of the new weights.
        optimizer: The optimizer. By default, each parameter with a gradient moves at random, and so far that the
            consequences exceed rounding errors.
    """
    output = run_step(model, additional=1, seed=seed)
    backward(model, output)
    model.before_step()
    if optimizer is None:
        move_at_random(model, seed)
    else:
        optimizer.step()
    model.after_step()
    commit_staged(model)
    return output.loss.detach()


@torch.no_grad()
def move_at_random(model: Model, seed: int = 0) -> None:
    """Change each parameter that has a gradient."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)


def find_momentum_copies(model: Model) -> dict[str, nn.Module]:
    """Return the momentum encoders with parameters, by name."""
    return {
        name: module
        for name, module in model.named_modules()
        if is_momentum_copy(module) and next(module.parameters(), None) is not None
    }


def find_frozen_modules(model: nn.Module) -> dict[str, FrozenModule]:
    """Return the frozen teachers, by name."""
    return {name: module for name, module in model.named_modules() if isinstance(module, FrozenModule)}


def share_frozen_weights(source: nn.Module, target: nn.Module) -> None:
    """Give the frozen modules of another instance the weights of the first, which are in no checkpoint."""
    teachers = find_frozen_modules(target)
    for name, module in find_frozen_modules(source).items():
        teachers[name].wrapped.load_state_dict(module.wrapped.state_dict())


def require_equal_state(state: dict[str, object], expected: dict[str, object], fault: str) -> None:
    """Compare two states bit for bit.

    Raises:
        AssertionError: They differ; the message names the first difference.
    """
    for name, value in expected.items():
        other = state[name]
        equal = torch.equal(other, value) if isinstance(other, Tensor) and isinstance(value, Tensor) else other == value
        assert equal, f"{name} {fault}"
