"""The checks of losses; see `sslreg.Loss`."""

from __future__ import annotations

import copy
from functools import partial
from itertools import product
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from sslreg.contracts import Loss
from sslreg.contracts.loss import COMMON_FORMS, commit_staged, discard_staged
from sslreg.contracts.memory_bank import find_banks
from sslreg.testing.case import Case
from sslreg.testing.checks import check, explain
from sslreg.testing.loss_inputs import LossInputs, find_models, make_inputs, record_inputs, select_samples
from sslreg.testing.memory_banks import require_filled_banks
from sslreg.testing.simulated_processes import SimulatedProcesses
from sslreg.testing.tiny_components import SAMPLES
from sslreg.testing.training_steps import build_model, require_equal_state, run_step


def take_step(loss: Loss, inputs: LossInputs) -> Tensor:
    """Compute the loss and its gradients, and commit."""
    value = inputs.compute(loss)
    torch.autograd.backward(value)
    commit_staged(loss)
    return value.detach()


@check("loss")
def declares_its_input(case: Case) -> None:
    loss = case.build()
    assert isinstance(loss, Loss)
    assert isinstance(loss.takes, str)
    assert loss.takes


@check("loss")
def is_a_finite_scalar(case: Case) -> None:
    for inputs in make_inputs(case):
        value = inputs.compute(inputs.build_loss(case))
        assert value.shape == (), (
            f"forward returns a tensor {tuple(value.shape)}, not a scalar; average over the samples"
        )
        assert value.isfinite(), f"forward returns {value}"


@check("loss")
def is_differentiable(case: Case) -> None:
    for inputs in make_inputs(case):
        torch.autograd.backward(inputs.compute(inputs.build_loss(case)))
        assert inputs.gradients, "no view gets a gradient"
        assert all(gradient.isfinite().all() for gradient in inputs.gradients)
        assert any(gradient.abs().max() > 0 for gradient in inputs.gradients), "the gradient is zero"


@check("loss")
def does_not_depend_on_the_order_of_samples(case: Case) -> None:
    for inputs in make_inputs(case):
        permuted = inputs.select(torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(1)))
        _require_close(
            permuted.compute(inputs.build_loss(case)),
            inputs.compute(inputs.build_loss(case)),
            "the loss changes with the order of samples; treat all of them alike",
        )


@check("loss")
def is_stable_in_every_precision(case: Case) -> None:
    for inputs in make_inputs(case):
        single, double = (
            inputs.to(dtype).compute(inputs.build_loss(case)).double() for dtype in (torch.float32, torch.float64)
        )
        torch.testing.assert_close(single, double, atol=1e-4, rtol=1e-4)
        for dtype in (torch.bfloat16, torch.float16):
            assert inputs.to(dtype).compute(inputs.build_loss(case)).isfinite(), f"not finite in {dtype}"


@check("loss")
def trains_in_bfloat16(case: Case) -> None:
    for inputs in (each.to(torch.bfloat16) for each in make_inputs(case)):
        loss = inputs.build_loss(case)
        with torch.autocast("cpu", torch.bfloat16), explain("a step fails in trainer.precision: bf16-mixed"):
            value = take_step(loss, inputs)
        finite = all(tensor.isfinite().all() for tensor in (value, *inputs.gradients))
        assert finite, "the loss or its gradient is not finite in trainer.precision: bf16-mixed"


@check("loss")
def does_not_change_its_input(case: Case) -> None:
    for inputs in make_inputs(case):
        before = [tensor.detach().clone() for tensor in inputs.tensors]
        inputs.compute(inputs.build_loss(case))
        is_changed = [not torch.equal(tensor, past) for tensor, past in zip(inputs.tensors, before, strict=True)]
        assert not any(is_changed), "forward changes its input; work on a copy"


@check("loss")
def changes_its_state_only_in_commit(case: Case) -> None:
    for inputs in make_inputs(case):
        loss = inputs.build_loss(case)
        before = copy.deepcopy(loss.state_dict())
        first, second = inputs.compute(loss), inputs.compute(loss)
        require_equal_state(
            loss.state_dict(), before, "changes in forward; stage the new value, and write it in commit"
        )
        assert torch.equal(first, second), (
            "a second call in a step gives another value; forward stages what it changes, and commit writes it"
        )
        loss.commit()
        after = copy.deepcopy(loss.state_dict())
        loss.commit()
        require_equal_state(loss.state_dict(), after, "changes in a second commit; forget what was staged")


@check("loss")
def discards_skipped_steps(case: Case) -> None:
    """Compare a loss after a skipped step with one that never took it."""
    for skipped, inputs in zip(make_inputs(case), make_inputs(case, seed=1), strict=True):
        expected, loss = inputs.build_loss(case), inputs.build_loss(case)
        skipped.compute(loss)
        discard_staged(loss)
        fault = "changes in a commit after a skipped step; implement discard, which forgets what forward staged"
        commit_staged(loss)
        require_equal_state(loss.state_dict(), expected.state_dict(), fault)
        skipped.compute(loss)
        discard_staged(loss)
        value, expected_value = take_step(loss, inputs.map()), take_step(expected, inputs)
        assert torch.equal(value, expected_value), f"after a skipped step, the loss {fault}"
        require_equal_state(loss.state_dict(), expected.state_dict(), fault)


@check("loss")
def fills_its_memory_banks(case: Case) -> None:
    for inputs in make_inputs(case):
        loss, parts = case.with_banks(inputs.embedding_dim).build_with_parts(embedding_dim=inputs.embedding_dim)
        require_filled_banks(loss, parts, partial(take_step, loss, inputs))


@check("loss")
def survives_a_checkpoint(case: Case) -> None:
    """Compare a loss that takes four steps with one that loads its checkpoint after two, bit for bit."""
    keep = "keep everything that steps change in buffers, modules or get_extra_state"
    for steps in zip(*(make_inputs(case, seed) for seed in range(4)), strict=True):
        loss, restored = steps[0].build_loss(case), steps[0].build_loss(case, seed=1)
        for inputs in steps[:2]:
            take_step(loss, inputs)
        restored.load_state_dict(copy.deepcopy(loss.state_dict()))
        for inputs in steps[2:]:
            value, expected = take_step(restored, inputs.map()), take_step(loss, inputs)
            assert torch.equal(value, expected), f"a resumed loss has another value ({value}, not {expected}); {keep}"
            require_equal_state(restored.state_dict(), loss.state_dict(), f"differs in a resumed loss; {keep}")


@check("loss")
def equals_one_process_in_two(case: Case) -> None:
    """Compare two processes, each with half of the batch, with one that has the whole batch.

    The state must be equal. So must the loss and the gradients, unless the loss compares the samples of one process.
    """
    if not dist.is_available():
        case.skip("torch is built without torch.distributed")
    for inputs in make_inputs(case):
        whole = inputs.build_loss(case)
        halves = list(torch.arange(SAMPLES).chunk(2))
        parts = [inputs.select(samples) for samples in halves]
        losses = [inputs.build_loss(case, world_size=2, batch_size=SAMPLES // 2) for _ in parts]
        expected = take_step(whole, inputs)
        processes = SimulatedProcesses()
        values = processes.run([partial(take_step, *each) for each in zip(losses, parts, strict=True)])
        for loss, (name, value) in product(losses, whole.state_dict().items()):
            _require_close(
                loss.state_dict()[name],
                value,
                f"on two processes, commit gives {name} another value than on one with the whole batch; pass what "
                "forward stages through sslreg.distributed: mean, sum or gather_rows",
            )
        if whole.compares_batch and (processes.collectives == 0 or find_banks(whole)):
            continue
        fault = (
            "on two processes, {} another one than on one with the whole batch; return the mean over the rows of the "
            "process, and compute statistics of the batch with sslreg.distributed. A loss that compares the samples of "
            "each process declares compares_batch = True"
        )
        _require_close(torch.stack(values).mean(), expected, fault.format("the mean loss is"))
        for samples, part in zip(halves, parts, strict=True):
            for own, tensor in zip(part.tensors, inputs.tensors, strict=True):
                if tensor.requires_grad and own.shape != tensor.shape:  # it belongs to the samples
                    gradient = select_samples(_gradient_of(tensor), samples, inputs.masks)
                    _require_close(_gradient_of(own) / 2, gradient, fault.format("a gradient is"))


def _gradient_of(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


def _require_close(value: Any, expected: Any, fault: str) -> None:
    """Compare tensors with a tolerance in proportion to the largest value, and leave out others."""
    if isinstance(expected, Tensor):
        scale = float(expected.detach().abs().max()) if expected.numel() else 0.0
        torch.testing.assert_close(
            value, expected, atol=1e-8 + 1e-4 * scale, rtol=1e-4, msg=lambda text: f"{fault}\n{text}"
        )


@check("loss")
def works_with_its_model(case: Case) -> None:
    """Run the steps of all models that make an uncommon form of input with this loss."""
    takes = case.build().takes
    if takes in COMMON_FORMS:
        return
    for info in find_models(case, takes):
        for inputs in record_inputs(case, info, takes, seed=0):
            value = inputs.compute(inputs.build_loss(case))
            assert value.shape == ()
            assert value.isfinite()
        model = build_model(case.of(info.name, "model"))
        loss: Loss = case.build(embedding_dim=model.embedding_dim)
        for is_mixed in (False, True):
            with torch.autocast("cpu", torch.bfloat16, enabled=is_mixed):
                output = run_step(model, additional=1, loss=loss)
                torch.autograd.backward(output.loss)
                commit_staged(loss)
                commit_staged(model)
            assert output.loss.isfinite()
