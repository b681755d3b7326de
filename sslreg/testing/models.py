"""The checks of models; see `sslreg.Model`. Those of their momentum encoders and teachers are in `teachers`."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from sslreg.contracts import Backbone
from sslreg.contracts.loss import COMMON_FORMS
from sslreg.testing.case import Case
from sslreg.testing.checks import check, explain
from sslreg.testing.memory_banks import require_filled_banks
from sslreg.testing.tiny_components import RecordingLoss, find_tensors, make_batch, make_batch_for, reverse_roles
from sslreg.testing.training_steps import (
    backward,
    build_model,
    require_equal_state,
    run_step,
    share_frozen_weights,
    take_step,
)


@check("model")
def declares_its_input_and_output(case: Case) -> None:
    model = build_model(case)
    assert isinstance(model.backbone, Backbone)
    assert isinstance(model.embedding_dim, int)
    assert model.gives
    assert all(isinstance(form, str) for form in model.gives)
    assert model.views[0] >= 1
    for least, most in (model.views, *model.roles.values()):
        assert least >= 0
        assert most is None or most >= least
    assert all(isinstance(role, str) and role for role in model.roles)


@check("model")
def performs_a_training_step(case: Case) -> None:
    model = build_model(case)
    for additional in (0, 1):
        loss = RecordingLoss(model.gives[0])
        output = run_step(model, additional, loss)
        assert output.loss.shape == ()
        assert output.loss.isfinite()
        assert all(value.numel() == 1 for value in output.metrics.values()), "metrics are scalars"
        if output.embeddings is not None:
            assert output.embeddings.ndim == 2, "embeddings are (N, D)"
        if loss.takes in COMMON_FORMS:
            shapes = {tuple(view.shape) for view in find_tensors([inputs for inputs, _ in loss.calls])}
            assert shapes == {(8, model.embedding_dim)}, "the loss compares embeddings (N, embedding_dim)"


@check("model")
def trains(case: Case) -> None:
    model = build_model(case)
    before = [parameter.detach().clone() for parameter in model.backbone.parameters()]
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5)
    for _ in range(2):
        take_step(model, optimizer=optimizer)
    after = list(model.backbone.parameters())
    assert any(not torch.equal(one, other) for one, other in zip(before, after, strict=True)), (
        "the backbone does not change"
    )
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@check("model")
def gives_every_trained_parameter_a_gradient(case: Case) -> None:
    model = build_model(case)
    backward(model, run_step(model, additional=1))
    missing = [
        name for name, parameter in model.named_parameters() if parameter.requires_grad and parameter.grad is None
    ]
    assert not missing, (
        f"{', '.join(missing[:3])} requires a gradient, but a step gives it none; make a momentum encoder with "
        "sslreg.momentum_copy and an external teacher with sslreg.frozen, and call requires_grad_(False) on other "
        "parameters that are not trained"
    )


@check("model")
def groups_each_trained_parameter_once(case: Case) -> None:
    model = build_model(case)
    grouped = [parameter for group in model.parameter_groups() for parameter in group["params"]]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert len({id(parameter) for parameter in grouped}) == len(grouped), "a parameter is in two groups"
    assert {id(parameter) for parameter in grouped} == {id(parameter) for parameter in trained}


@check("model")
def finds_views_by_their_roles(case: Case) -> None:
    """Compare the loss with that of a spec whose `views` have the opposite order, or an entry for each view."""
    model, other = build_model(case), build_model(case)
    batch = make_batch_for(model, additional=1)
    each_alone = replace(batch, groups=tuple(range(len(batch.views))))
    usual = run_step(model, batch=batch).loss
    fault = (
        "the loss changes with the entries of the spec's `views` or with their order; find views by their roles "
        "(Batch.views_of), not by their groups or positions"
    )
    with explain(fault):
        changed = run_step(other, batch=reverse_roles(batch) if len(model.roles) > 1 else each_alone).loss
    torch.testing.assert_close(changed, usual, atol=1e-5, rtol=1e-4, msg=lambda text: f"{fault}\n{text}")


@check("model")
def trains_in_bfloat16(case: Case) -> None:
    model = build_model(case)
    with torch.autocast("cpu", torch.bfloat16), explain("a step fails in trainer.precision: bf16-mixed"):
        loss = take_step(model)
    assert loss.isfinite(), "the loss is not finite in trainer.precision: bf16-mixed"
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@check("model")
def takes_steps_without_gradients(case: Case) -> None:
    model = build_model(case)
    for step in ("before_step", "after_step"):
        with explain(f"{step} fails if parameters have no gradient (grad is None), as after a skipped step"):
            getattr(model, step)()


@check("model")
def fills_its_memory_banks(case: Case) -> None:
    model, parts = case.build_with_parts()
    model.train()
    require_filled_banks(model, parts, lambda: take_step(model))


@check("model")
def embeds_images_independently(case: Case) -> None:
    model = build_model(case).eval()
    (images,) = make_batch("").views
    with torch.no_grad():
        batch, single = model.embed(images), model.embed(images[:1])
    assert batch.shape[0] == len(images)
    assert batch.ndim == 2
    assert batch.isfinite().all()
    torch.testing.assert_close(batch[:1], single, atol=1e-5, rtol=1e-4)


@check("model")
def survives_a_checkpoint(case: Case) -> None:
    """Compare a model that takes four steps with one that loads its checkpoint after two, bit for bit."""
    model, restored = build_model(case), build_model(case, seed=1)
    share_frozen_weights(model, restored)
    for step in range(2):
        take_step(model, step)
    restored.load_state_dict(copy.deepcopy(model.state_dict()))
    keep = "keep everything that steps change in parameters, buffers, modules or get_extra_state"
    for step in (2, 3):
        expected, loss = take_step(model, step), take_step(restored, step)
        assert torch.equal(loss, expected), f"a resumed model computes another loss ({loss}, not {expected}); {keep}"
        require_equal_state(restored.state_dict(), model.state_dict(), f"differs in a resumed model; {keep}")
    (images,) = make_batch("").views
    with torch.no_grad():
        torch.testing.assert_close(restored.eval().embed(images), model.eval().embed(images))
