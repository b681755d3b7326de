"""baselines.json: what the baselines of a run depend on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sslreg import Model
from sslreg.assembly import Builder, NamedEvaluator, SampleDataset, build_embed_collate, build_evaluators, build_model
from sslreg.evaluation import Evaluation, evaluate_raw_pixels
from sslreg.runs import baselines_file
from sslreg.runs.baselines_file import BaselinesFile, digest_conditions, split_by_evaluator
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


def test_the_digest_is_the_same_for_the_same_conditions(judge: Callable[..., Judged]) -> None:
    same = digest_conditions(*judge("trainer.max_epochs=9", "evaluate.0.every=7"))
    assert digest_conditions(*judge()) == same
    assert len(set(same.values())) == len(same) == 2


@pytest.mark.parametrize(
    "override",
    ["seed=7", "data.test.split=train", "model.backbone.width=4", "views.0.augment.1.mean=[0.25]"],
)
def test_the_digest_differs_with_the_spec(judge: Callable[..., Judged], override: str) -> None:
    before, after = (set(digest_conditions(*judged).values()) for judged in (judge(), judge(override)))
    assert not before & after


def test_the_digest_differs_with_the_images(judge: Callable[..., Judged]) -> None:
    before, after = (set(digest_conditions(*judged).values()) for judged in (judge(), judge(first=1)))
    assert not before & after


def test_the_digest_differs_with_the_parameters_of_its_evaluator_alone(judge: Callable[..., Judged]) -> None:
    before, after = digest_conditions(*judge()), digest_conditions(*judge("evaluate.0.draws=6"))
    assert [name for name in before if before[name] != after[name]] == ["few_shot"]


def test_the_digest_differs_with_labels_weights_and_versions(
    judge: Callable[..., Judged], monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation, model, evaluators = judge()
    digests = [set(digest_conditions(evaluation, model, evaluators).values())]
    assert evaluation.checksum is not None
    evaluation.checksum += 1
    digests.append(set(digest_conditions(evaluation, model, evaluators).values()))
    with torch.no_grad():
        next(model.parameters()).add_(1e-3)
    digests.append(set(digest_conditions(evaluation, model, evaluators).values()))
    monkeypatch.setattr(baselines_file, "version", lambda name: "0")
    digests.append(set(digest_conditions(evaluation, model, evaluators).values()))
    assert len(set.union(*digests)) == sum(map(len, digests))


def test_labels_are_in_the_checksum(judge: Callable[..., Judged]) -> None:
    evaluation, model, _ = judge()
    before = evaluation.checksum
    images = [evaluation.reference[index].image for index in range(60)]
    evaluation.reference = SampleDataset([(image, 3) for image in images])
    evaluation.evaluate_model(model, [])
    assert evaluation.checksum != before


def test_metrics_belong_to_the_evaluator_with_the_longest_name() -> None:
    metrics = {"knn_top1": 0.1, "knn_far_top1": 0.2}
    assert split_by_evaluator({"untrained": metrics}, ["knn", "knn_far"]) == {
        "knn": {"untrained": {"knn_top1": 0.1}},
        "knn_far": {"untrained": {"knn_far_top1": 0.2}},
    }


def test_a_damaged_file_has_no_baselines_and_is_replaced(tmp_path: Path) -> None:
    file = BaselinesFile(tmp_path / "baselines.json")
    for content in ("{", "[]"):
        file.path.write_text(content)
        assert file.read() == {}
    file.add({"a": {"untrained": {"knn_top1": 0.5}}})
    file.add({"b": {"untrained": {"knn_top1": 0.25}}})
    assert set(file.read()) == {"a", "b"}


def test_raw_pixels_do_not_change_the_checksum_of_the_model(judge: Callable[..., Judged]) -> None:
    evaluation, model, _ = judge()
    before = evaluation.checksum
    evaluate_raw_pixels(evaluation, [])
    evaluation.evaluate_model(model, [])
    assert evaluation.checksum == before
