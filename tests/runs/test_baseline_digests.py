"""What the metrics of a baseline depend on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from sslreg import Model
from sslreg.assembly import Builder, NamedEvaluator, SampleDataset, build_embed_collate, build_evaluators, build_model
from sslreg.evaluation import Evaluation, evaluate_raw_pixels
from sslreg.runs import baseline_digests
from sslreg.runs.baseline_digests import (
    checksum_embedding,
    describe_model,
    describe_raw_pixels,
    digest_conditions,
    find_embedding_component,
)
from sslreg.spec import parse_spec

Judged = tuple[Evaluation, Model, list[NamedEvaluator]]
FACTS = {"in_channels": 1, "image_size": 8}


@pytest.fixture
def judge(tiny_spec: str) -> Callable[..., Judged]:
    """Evaluates an untrained model of the small spec on 60 images."""

    def judge(*overrides: str, first: int = 0) -> Judged:
        spec = parse_spec(tiny_spec, "tiny.yaml", overrides)
        builder = Builder(spec, FACTS)
        samples = SampleDataset(torch.utils.data.Subset(builder.build(spec.data.train), range(first, first + 60)))
        cpu = torch.device("cpu")
        evaluation = Evaluation(spec, samples, samples, build_embed_collate(spec), cpu, compute_checksum=True)
        model = build_model(builder)
        evaluation.evaluate_model(model, [])
        return evaluation, model, build_evaluators(builder)

    return judge


def digest_model(evaluation: Evaluation, model: Model, evaluators: list[NamedEvaluator]) -> dict[str, str]:
    component = find_embedding_component(evaluation.spec, model)
    weights = checksum_embedding(component, model)
    return digest_conditions(evaluation, describe_model(evaluation.spec, component, weights), evaluators)


def digest_pixels(evaluation: Evaluation, model: Model, evaluators: list[NamedEvaluator]) -> dict[str, str]:
    return digest_conditions(evaluation, describe_raw_pixels(model.backbone), evaluators)


def digest_all(evaluation: Evaluation, model: Model, evaluators: list[NamedEvaluator]) -> set[str]:
    both = (digest_model, digest_pixels)
    return {digest for digests in both for digest in digests(evaluation, model, evaluators).values()}


def test_the_digest_is_the_same_for_the_same_conditions(judge: Callable[..., Judged]) -> None:
    same = digest_model(*judge("trainer.max_epochs=9", "evaluate.0.every=7"))
    assert digest_model(*judge()) == same
    assert len(set(same.values())) == len(same) == 2


@pytest.mark.parametrize("override", ["seed=7", "data.test.split=train", "views.0.augment.1.mean=[0.25]"])
def test_the_digest_differs_with_the_spec(judge: Callable[..., Judged], override: str) -> None:
    assert not digest_all(*judge()) & digest_all(*judge(override))


@pytest.mark.parametrize("override", ["model.backbone.width=4", "model.backbone={use: vit, patch_size: 4, width: 16}"])
def test_only_models_differ_with_the_backbone(judge: Callable[..., Judged], override: str) -> None:
    before, after = judge(), judge(override)
    assert not {*digest_model(*before).values()} & {*digest_model(*after).values()}
    assert digest_pixels(*before) == digest_pixels(*after)


def test_the_method_does_not_matter(judge: Callable[..., Judged]) -> None:
    before, after = judge(), judge("model={use: simsiam, backbone: {use: convnet}}", "loss={use: simsiam}")
    assert digest_pixels(*before) == digest_pixels(*after)
    before, after = judge(), judge("model.projection=[8, 8]", "loss.temperature=0.2", "optimizer.lr=1.0")
    assert digest_model(*before) == digest_model(*after)


def test_the_digest_differs_with_the_images(judge: Callable[..., Judged]) -> None:
    assert not digest_all(*judge()) & digest_all(*judge(first=1))


def test_the_digest_differs_with_the_parameters_of_its_evaluator_alone(judge: Callable[..., Judged]) -> None:
    before, after = digest_model(*judge()), digest_model(*judge("evaluate.0.draws=6"))
    assert [name for name in before if before[name] != after[name]] == ["few_shot"]


def test_the_digest_differs_with_labels_weights_code_and_versions(
    judge: Callable[..., Judged], monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation, model, evaluators = judge()
    digests = [digest_all(evaluation, model, evaluators)]
    assert evaluation.checksum is not None
    evaluation.checksum += 1
    digests.append(digest_all(evaluation, model, evaluators))
    with torch.no_grad():
        next(model.parameters()).add_(1e-3)
    changed = {*digest_model(evaluation, model, evaluators).values()}
    assert not changed & digests[-1]
    monkeypatch.setattr(baseline_digests, "version", lambda name: "0")
    digests.append(digest_all(evaluation, model, evaluators))
    monkeypatch.setattr(baseline_digests, "_checksum_code", lambda package: 1)
    digests.append(digest_all(evaluation, model, evaluators))
    assert len(set.union(*digests)) == sum(map(len, digests))


def test_labels_are_in_the_checksum(judge: Callable[..., Judged]) -> None:
    evaluation, model, _ = judge()
    before = evaluation.checksum
    images = [evaluation.reference[index].image for index in range(60)]
    evaluation.reference = SampleDataset([(image, 3) for image in images])
    evaluation.evaluate_model(model, [])
    assert evaluation.checksum != before


def test_raw_pixels_do_not_change_the_checksum_of_the_model(judge: Callable[..., Judged]) -> None:
    evaluation, _, _ = judge()
    before = evaluation.checksum
    evaluate_raw_pixels(evaluation, [])
    assert evaluation.checksum == before
