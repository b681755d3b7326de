"""The checks of losses; see `sslreg.Loss`."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from sslreg.contracts import Loss
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.tiny_components import WIDTH, RecordingLoss, find_tensors, make_batch_for

SAMPLES = 8

#: The common forms of input, with the numbers of views to try. Other forms belong to one method.
COMMON = {"pair": (2,), "views": (2, 3), "labeled views": (2, 3)}


def make_inputs(case: Case, dtype: torch.dtype = torch.float32) -> list[tuple[list[Tensor], dict[str, Any]]]:
    """Return positional and keyword arguments of the loss under test for each number of views."""
    takes = case.build().takes
    if takes not in COMMON:
        case.skip(f"it takes {takes}, which its model makes; see 'works_with_its_model'")
    generator = torch.Generator().manual_seed(0)
    base = torch.randn(SAMPLES, WIDTH, generator=generator)
    return [
        (
            [(base + 0.5 * torch.randn(SAMPLES, WIDTH, generator=generator)).to(dtype) for _ in range(count)],
            {"targets": torch.arange(SAMPLES) % 4} if takes == "labeled views" else {},
        )
        for count in COMMON[takes]
    ]


@check("loss")
def declares_its_input(case: Case) -> None:
    loss = case.build()
    assert isinstance(loss, Loss)
    assert isinstance(loss.takes, str)
    assert loss.takes


@check("loss")
def is_a_finite_scalar(case: Case) -> None:
    for views, others in make_inputs(case):
        value = case.build()(*views, **others)
        assert value.shape == ()
        assert value.isfinite()


@check("loss")
def is_differentiable(case: Case) -> None:
    for views, others in make_inputs(case):
        leaves = [view.requires_grad_() for view in views]
        case.build()(*leaves, **others).backward()
        gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
        assert gradients, "no view gets a gradient"
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert any(gradient.abs().max() > 0 for gradient in gradients), "the gradient is zero"


@check("loss")
def does_not_depend_on_the_order_of_samples(case: Case) -> None:
    for views, others in make_inputs(case):
        order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(1))
        permuted = {name: rows[order] for name, rows in others.items()}
        torch.testing.assert_close(
            case.build()(*(view[order] for view in views), **permuted),
            case.build()(*views, **others),
            atol=1e-5,
            rtol=1e-5,
        )


@check("loss")
def is_stable_in_every_precision(case: Case) -> None:
    for (views, others), (doubles, _) in zip(make_inputs(case), make_inputs(case, torch.float64), strict=True):
        torch.testing.assert_close(
            case.build()(*views, **others).double(), case.build()(*doubles, **others).double(), atol=1e-4, rtol=1e-4
        )
        for dtype in (torch.bfloat16, torch.float16):
            value = case.build()(*(view.to(dtype) for view in views), **others)
            assert value.isfinite(), f"not finite in {dtype}"


@check("loss")
def does_not_change_its_input(case: Case) -> None:
    for views, others in make_inputs(case):
        before = [view.clone() for view in views]
        case.build()(*views, **others)
        assert all(map(torch.equal, views, before))


@check("loss")
def changes_its_state_only_in_commit(case: Case) -> None:
    for views, others in make_inputs(case):
        loss = case.build()
        before = copy.deepcopy(loss.state_dict())
        first, second = loss(*views, **others), loss(*views, **others)
        torch.testing.assert_close(first, second, msg="a second call in a step gives another value")
        torch.testing.assert_close(dict(loss.state_dict()), dict(before), msg="forward changes buffers; stage them")
        loss.commit()
        after = copy.deepcopy(loss.state_dict())
        loss.commit()
        torch.testing.assert_close(dict(loss.state_dict()), dict(after), msg="a second commit changes buffers again")


@check("loss")
def survives_a_checkpoint(case: Case) -> None:
    for views, others in make_inputs(case):
        loss, restored = case.build(), case.build()
        loss(*views, **others)
        loss.commit()
        restored.load_state_dict(loss.state_dict())
        torch.testing.assert_close(restored(*views, **others), loss(*views, **others))


@check("loss")
def works_with_its_model(case: Case) -> None:
    """Run the step of the model that makes an uncommon form of input with this loss."""
    takes = case.build().takes
    if takes in COMMON:
        return
    models = [info for info in case.catalog.of_kind("model") if takes in getattr(info.load(), "gives", ())]
    assert models, f"no model gives {takes!r}, so no spec can use {case}"
    for info in models:
        model = case.of(info.name, "model").build()
        recorder = RecordingLoss(takes)
        batch = make_batch_for(model, additional=max(0, 2 - model.views[0]))
        model.training_step(batch, recorder)
        inputs, others = recorder.calls[0]
        loss = case.build(embedding_dim=model.embedding_dim)
        value = loss(*inputs, **{name: argument for name, argument in others.items() if argument is not None})
        assert value.shape == ()
        assert value.isfinite()
        value.backward()
        assert any(tensor.requires_grad for tensor in find_tensors(inputs))
        loss.commit()
