"""The checks of models; see `sslreg.Model`."""

from __future__ import annotations

import torch

from sslreg.contracts import Backbone, Loss, Model, StepOutput
from sslreg.contracts.loss import COMMON_FORMS, commit_staged
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.tiny_components import RecordingLoss, find_tensors, make_batch, make_batch_for


def build(case: Case) -> Model:
    torch.manual_seed(0)
    model: Model = case.build()
    return model


def run_step(model: Model, additional: int = 0, loss: Loss | None = None) -> StepOutput:
    """Run one training step, by default with a loss that takes what the model gives; see `make_batch_for`."""
    torch.manual_seed(1)
    return model.training_step(make_batch_for(model, additional), loss or RecordingLoss(model.gives[0]))


def _train_step(model: Model, optimizer: torch.optim.Optimizer) -> None:
    """Run a training step with the optimizer."""
    optimizer.zero_grad()
    torch.autograd.backward(run_step(model).loss)
    optimizer.step()
    model.after_step()
    commit_staged(model)


@check("model")
def declares_its_input_and_output(case: Case) -> None:
    model = build(case)
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
    model = build(case)
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
    model = build(case).train()
    before = [parameter.detach().clone() for parameter in model.backbone.parameters()]
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5)
    for _ in range(2):
        _train_step(model, optimizer)
    after = list(model.backbone.parameters())
    assert any(not torch.equal(one, other) for one, other in zip(before, after, strict=True)), (
        "the backbone does not change"
    )
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@check("model")
def groups_each_trained_parameter_once(case: Case) -> None:
    model = build(case)
    grouped = [parameter for group in model.parameter_groups() for parameter in group["params"]]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert len({id(parameter) for parameter in grouped}) == len(grouped), "a parameter is in two groups"
    assert {id(parameter) for parameter in grouped} == {id(parameter) for parameter in trained}


@check("model")
def embeds_images_independently(case: Case) -> None:
    model = build(case).eval()
    (images,) = make_batch("").views
    with torch.no_grad():
        batch, single = model.embed(images), model.embed(images[:1])
    assert batch.shape[0] == len(images)
    assert batch.ndim == 2
    assert batch.isfinite().all()
    torch.testing.assert_close(batch[:1], single, atol=1e-5, rtol=1e-4)


@check("model")
def survives_a_checkpoint(case: Case) -> None:
    model, restored = build(case), build(case)
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5)
    _train_step(model, optimizer)
    restored.load_state_dict(model.state_dict())
    (images,) = make_batch("").views
    with torch.no_grad():
        torch.testing.assert_close(restored.eval().embed(images), model.eval().embed(images))
        torch.testing.assert_close(run_step(restored.train()).loss, run_step(model.train()).loss)
