"""What a loss promises; see `sslreg.Loss`."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from sslreg.contracts import Loss
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.tiny_components import WIDTH, AnyLoss, batch_of, tensors_in

SAMPLES = 8

#: The forms of input that are the same for everyone; others belong to one method.
COMMON = {"pair": (2,), "views": (2, 3), "labeled views": (2, 3)}


def inputs_of(case: Case, dtype: torch.dtype = torch.float32) -> list[tuple[list[Tensor], dict[str, Any]]]:
    """What the loss under test takes: positional and keyword arguments, once for each number of views."""
    takes = case.info.load().takes if isinstance(case.info.load(), type) else case.build().takes
    if takes not in COMMON:
        case.skip(f"it takes {takes}, which its model makes; see 'suits_its_model'")
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
def says_what_it_takes(case: Case) -> None:
    loss = case.build()
    assert isinstance(loss, Loss)
    assert isinstance(loss.takes, str)
    assert loss.takes


@check("loss")
def is_a_finite_scalar(case: Case) -> None:
    for views, others in inputs_of(case):
        value = case.build()(*views, **others)
        assert value.shape == ()
        assert value.isfinite()


@check("loss")
def is_differentiable(case: Case) -> None:
    for views, others in inputs_of(case):
        leaves = [view.requires_grad_() for view in views]
        case.build()(*leaves, **others).backward()
        gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
        assert gradients, "no view gets a gradient"
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert any(gradient.abs().max() > 0 for gradient in gradients), "the gradient is zero"


@check("loss")
def does_not_depend_on_the_order_of_samples(case: Case) -> None:
    for views, others in inputs_of(case):
        order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(1))
        moved = {name: rows[order] for name, rows in others.items()}
        torch.testing.assert_close(
            case.build()(*(view[order] for view in views), **moved),
            case.build()(*views, **others),
            atol=1e-5,
            rtol=1e-5,
        )


@check("loss")
def is_stable_in_every_precision(case: Case) -> None:
    for (views, others), (doubles, _) in zip(inputs_of(case), inputs_of(case, torch.float64), strict=True):
        torch.testing.assert_close(
            case.build()(*views, **others).double(), case.build()(*doubles, **others).double(), atol=1e-4, rtol=1e-4
        )
        for dtype in (torch.bfloat16, torch.float16):
            value = case.build()(*(view.to(dtype) for view in views), **others)
            assert value.isfinite(), f"not finite in {dtype}"


@check("loss")
def leaves_its_input_alone(case: Case) -> None:
    for views, others in inputs_of(case):
        before = [view.clone() for view in views]
        case.build()(*views, **others)
        assert all(map(torch.equal, views, before))


@check("loss")
def changes_its_state_in_commit_alone(case: Case) -> None:
    for views, others in inputs_of(case):
        loss = case.build()
        before = copy.deepcopy(loss.state_dict())
        first, second = loss(*views, **others), loss(*views, **others)
        torch.testing.assert_close(first, second, msg="a second call in a step gives another value")
        torch.testing.assert_close(dict(loss.state_dict()), dict(before), msg="forward changes buffers; stage them")
        loss.commit()


@check("loss")
def survives_a_checkpoint(case: Case) -> None:
    for views, others in inputs_of(case):
        loss, again = case.build(), case.build()
        loss(*views, **others)
        loss.commit()
        again.load_state_dict(loss.state_dict())
        torch.testing.assert_close(again(*views, **others), loss(*views, **others))


@check("loss")
def suits_its_model(case: Case) -> None:
    """A form of input of its own is made by a model: that model's step runs with this loss."""
    takes = case.build().takes
    if takes in COMMON:
        return
    makers = [info for info in case.catalog.of_kind("model") if takes in getattr(info.load(), "gives", ())]
    assert makers, f"no model gives {takes!r}, so no spec can use {case}"
    for maker in makers:
        model = case.of(maker.name, "model").build()
        recorder = AnyLoss(takes)
        batch = batch_of(max(2, model.views[0]))
        model.training_step(batch, recorder)
        seen, others = recorder.seen[0]
        loss = case.build(embedding_dim=model.embedding_dim)
        value = loss(*seen, **{name: given for name, given in others.items() if given is not None})
        assert value.shape == ()
        assert value.isfinite()
        value.backward()
        assert any(tensor.requires_grad for tensor in tensors_in(seen))
        loss.commit()
