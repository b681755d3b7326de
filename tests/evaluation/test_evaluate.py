"""Embedding data sets and evaluating the features."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import sslreg
from sslreg import Run, SslregError, UserError
from sslreg.assembly import SampleDataset, build_embed_collate, build_evaluators, build_raw_pixels_collate
from sslreg.assembly.builder import Builder
from sslreg.evaluation import Evaluation, embed, evaluate_raw_pixels
from sslreg.spec import parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.testing.tiny_components import TinyModel

CPU = torch.device("cpu")


@pytest.fixture
def make_evaluation(tiny_spec: str):
    def make(*overrides: str, size: int = 200) -> tuple[Evaluation, list]:
        spec = parse_spec(tiny_spec, "tiny.yaml", overrides)
        builder = Builder(spec)
        train, test = (
            SampleDataset(torch.utils.data.Subset(builder.build(component), range(size)))
            for component in (spec.data.train, spec.data.test)
        )
        return Evaluation(spec, train, test, build_embed_collate(spec), CPU), build_evaluators(builder)

    return make


@pytest.mark.parametrize("workers", [0, 2])
def test_every_sample_is_embedded_once_in_order(tiny_run: Run, workers: int) -> None:
    samples = tiny_run.split("test")
    collate = build_raw_pixels_collate(tiny_run.spec)
    embedded = embed(samples, collate, lambda images: images.flatten(1), device=CPU, batch_size=100, workers=workers)
    assert embedded.indices.tolist() == list(range(449))
    assert embedded.targets is not None
    assert embedded.targets.tolist() == [samples[number].target for number in range(449)]
    assert torch.equal(embedded.features[7], collate([samples[7]]).views[0].flatten())


def test_metrics_are_prefixed_by_the_evaluators_name_or_its_alias(make_evaluation) -> None:
    evaluation, evaluators = make_evaluation()
    names = {"few_shot_1", "few_shot_5", "neighbors_top1", "neighbors_top5"}
    assert set(evaluate_raw_pixels(evaluation, evaluators)) == names | {f"{name}_ci" for name in names}


def test_evaluating_restores_the_models_mode(make_evaluation, tiny_run: Run) -> None:
    evaluation, evaluators = make_evaluation()
    model = tiny_run.model()
    for mode in (True, False):
        model.train(mode)
        evaluation.evaluate_model(model, evaluators)
        assert model.training is mode


def test_an_evaluators_error_has_its_location_in_the_spec(make_evaluation) -> None:
    evaluation, evaluators = make_evaluation("evaluate=[{use: few_shot, shots: [500]}]")
    with pytest.raises(UserError, match="few_shot: shots: 500 needs that many samples") as caught:
        evaluate_raw_pixels(evaluation, evaluators)
    assert caught.value.diagnostics[0].file == "--set"


class Broken(sslreg.Evaluator):
    """An evaluator that returns what it is told, or looks up a missing key."""

    result: Any = None

    def evaluate(self, reference: Any, test: Any, run: Any) -> Any:
        return {}["missing"] if self.result is KeyError else self.result


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ([0.5], "evaluator 'broken' of .*: evaluate returned a list"),
        (None, "evaluator 'broken' of .*: evaluate returned a NoneType"),
        ({"top1": "high"}, "evaluator 'broken' of .*: evaluate returned a str under 'top1'"),
        ({"top1": torch.ones(2)}, "evaluator 'broken' of .*: evaluate returned a Tensor under 'top1'"),
        (KeyError, "evaluator 'broken' of .* raises KeyError: 'missing'"),
    ],
)
def test_an_evaluator_that_breaks_its_contract_is_named(
    make_evaluation, result: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with temporary_components(evaluator={"broken": Broken}):
        evaluation, evaluators = make_evaluation("evaluate=[{use: broken}]", size=20)
        monkeypatch.setattr(evaluators[0].evaluator, "result", result, raising=False)
        with pytest.raises(SslregError, match=message):
            evaluate_raw_pixels(evaluation, evaluators)


class NotEmbedding(TinyModel):
    """A model that cannot embed."""

    def embed(self, images: torch.Tensor) -> torch.Tensor:
        raise AttributeError("head")


def test_a_model_that_cannot_embed_is_named(make_evaluation) -> None:
    model = "model={use: broken, backbone: {use: convnet, width: 4, depth: 1}}"
    with temporary_components(model={"broken": NotEmbedding}):
        evaluation, evaluators = make_evaluation(model, size=20)
        broken = Builder(evaluation.spec, {"in_channels": 1}).build(evaluation.spec.model)
        with pytest.raises(SslregError, match=r"model 'broken' of .* raises AttributeError: head"):
            evaluation.evaluate_model(broken, evaluators)
