"""What a model promises; see `sslreg.Model`."""

from __future__ import annotations

import torch

from sslreg.contracts import Backbone, Model, StepOutput
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.tiny_components import AnyLoss, batch_of


def built(case: Case) -> Model:
    torch.manual_seed(0)
    model: Model = case.build()
    return model


def step(model: Model, views: int | None = None) -> StepOutput:
    """One training step with a loss that takes what the model gives."""
    torch.manual_seed(1)
    return model.training_step(batch_of(views or max(model.views[0], 1)), AnyLoss(model.gives[0]))


def _improve(model: Model, optimizer: torch.optim.Optimizer) -> None:
    """A training step with all that belongs to it."""
    optimizer.zero_grad()
    torch.autograd.backward(step(model).loss)
    optimizer.step()
    model.after_step()


@check("model")
def says_what_it_needs_and_gives(case: Case) -> None:
    model = built(case)
    assert isinstance(model.backbone, Backbone)
    assert isinstance(model.embedding_dim, int)
    assert model.gives
    assert all(isinstance(form, str) for form in model.gives)
    least, most = model.views
    assert least >= 1
    assert most is None or most >= least


@check("model")
def makes_a_training_step(case: Case) -> None:
    model = built(case)
    least, most = model.views
    for views in {least, least + 1 if most is None else min(most, least + 1)}:
        output = step(model, views)
        assert output.loss.shape == ()
        assert output.loss.isfinite()
        assert all(value.numel() == 1 for value in output.metrics.values()), "metrics are scalars"
        if output.embeddings is not None:
            assert output.embeddings.shape == (8, model.embedding_dim), "embeddings are (N, embedding_dim)"


@check("model")
def trains(case: Case) -> None:
    model = built(case).train()
    before = [parameter.detach().clone() for parameter in model.backbone.parameters()]
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5)
    for _ in range(2):
        _improve(model, optimizer)
    after = list(model.backbone.parameters())
    assert any(not torch.equal(one, other) for one, other in zip(before, after, strict=True)), (
        "the backbone stays as is"
    )
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@check("model")
def groups_what_is_trained_once(case: Case) -> None:
    model = built(case)
    grouped = [parameter for group in model.parameter_groups() for parameter in group["params"]]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert len({id(parameter) for parameter in grouped}) == len(grouped), "a parameter is in two groups"
    assert {id(parameter) for parameter in grouped} == {id(parameter) for parameter in trained}


@check("model")
def embeds_each_image_by_itself(case: Case) -> None:
    model = built(case).eval()
    (images,) = batch_of(1).views
    with torch.no_grad():
        together, alone = model.embed(images), model.embed(images[:1])
    assert together.shape[0] == len(images)
    assert together.ndim == 2
    assert together.isfinite().all()
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=1e-4)


@check("model")
def survives_a_checkpoint(case: Case) -> None:
    model, again = built(case), built(case)
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5)
    _improve(model, optimizer)
    again.load_state_dict(model.state_dict())
    (images,) = batch_of(1).views
    with torch.no_grad():
        torch.testing.assert_close(again.eval().embed(images), model.eval().embed(images))
        torch.testing.assert_close(step(again.train()).loss, step(model.train()).loss)
