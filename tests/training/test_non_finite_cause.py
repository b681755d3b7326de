"""The augmentation that makes pixels that are not finite is named."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

import sslreg
from sslreg import SslregError
from sslreg.assembly import Pipeline, assemble
from sslreg.contracts import SampleKeys
from sslreg.spec import parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.training.data_loader import build_sampler
from sslreg.training.non_finite_cause import NonFiniteSearch


class Poison(sslreg.Augmentation):
    """Returns NaN for the image whose draw has one value.

    Args:
        at: the value.
    """

    def __init__(self, at: float = -1.0) -> None:
        self.at = at

    def draw(self, keys: Any, shapes: Tensor) -> sslreg.Params:
        return {"value": keys.uniform()}

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return torch.where((params["value"] == self.at).view(-1, 1, 1, 1).to(images.device), torch.nan, images)


def overrides(at: float, *more: str) -> list[str]:
    poison = f"{{use: poison, at: {at!r}}}"
    steps = f"{{use: random_resized_crop, size: 8}}, {poison}, {{use: normalize, mean: 0.5, std: 0.5}}"
    return [f"views.0.augment=[{steps}]", "evaluate=[]", "data.test=null", *more]


def find_value(pipeline: Pipeline, epoch: int, batch: int) -> tuple[int, float]:
    """Return the first sample of a batch, and the value that its second view draws."""
    _, index = next(iter(build_sampler(pipeline, 0, 1, epoch, batch)))
    keys = SampleKeys.of_samples(pipeline.spec.seed, [epoch], [index])
    draws = pipeline.collate.views[1].draw(keys, 1, [pipeline.collate.load_pixels(pipeline.train[index])])
    return index, float(pipeline.collate.views[1].params(draws)["poison"]["value"])


@pytest.mark.parametrize(
    ("epoch", "batch", "more"),
    [(0, 3, ()), (1, 1, ("trainer.accumulate_grad_batches=2",)), (1, 2, ("data.workers=1", "loss={use: plain}"))],
)
def test_an_augmentation_that_returns_nan_is_named(
    epoch: int, batch: int, more: tuple[str, ...], tiny_spec: str, tmp_path: Path
) -> None:
    with temporary_components(augmentation={"poison": Poison}, loss={"plain": Plain}):
        more = ("data.batch_size=256", *more)
        index, value = find_value(assemble(parse_spec(tiny_spec, "tiny.yaml", overrides(-1.0, *more))), epoch, batch)
        with pytest.raises(SslregError) as caught:
            sslreg.train(parse_spec(tiny_spec, "tiny.yaml", overrides(value, *more)), tmp_path / "run")
    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.code == "augmentation"
    assert "augmentation 'poison' of temporary_components-" in diagnostic.message
    assert "normalize" not in diagnostic.message
    assert f"view 1 of sample {index}, in epoch {epoch}, step " in diagnostic.message


class Plain(torch.nn.Module):
    """A loss that accepts numbers that are not finite."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).square().mean()


def test_skipped_and_rewound_steps_name_the_augmentation(
    tiny_spec: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with temporary_components(augmentation={"poison": Poison}):
        more = ("data.batch_size=256", "trainer.max_epochs=1", "checkpoint.every_steps=1")
        index, value = find_value(assemble(parse_spec(tiny_spec, "tiny.yaml", overrides(-1.0, *more))), 0, 2)
        spec = parse_spec(tiny_spec, "tiny.yaml", overrides(value, *more, "engine.on_nan=rewind"))
        with caplog.at_level(logging.WARNING):
            run = sslreg.train(spec, tmp_path / "run")
    assert run.summary["skipped_steps"] == 1
    place = f"values that are not finite: view 1 of sample {index}, in epoch 0, step 3"
    assert f"{place}; going back to step 2" in " ".join(capsys.readouterr().err.split())
    (warning,) = [record.getMessage() for record in caplog.records if "skipped" in record.getMessage()]
    assert warning.startswith("step 3 is skipped: augmentation 'poison' of ")
    assert warning.endswith(place)


def test_a_process_finds_the_cause_in_its_own_share_wherever_views_are_finished(tiny_spec: str) -> None:
    with temporary_components(augmentation={"poison": Poison}):
        index, value = find_value(assemble(parse_spec(tiny_spec, "tiny.yaml", overrides(-1.0))), 1, 4)
        spec = parse_spec(tiny_spec, "tiny.yaml", overrides(value))
        pipeline = assemble(spec, world_size=2, device="cpu")
        assert pipeline.collate.steps_on_host == (2, 2)
        step = pipeline.facts["steps_per_epoch"] + 5
        strategy = SimpleNamespace(root_device=torch.device("cpu"))
        searches = [
            NonFiniteSearch(pipeline, SimpleNamespace(global_rank=rank, world_size=2, strategy=strategy))  # type: ignore[arg-type]
            for rank in (0, 1)
        ]
        before = torch.get_rng_state()
        causes = [search.find(step) for search in searches]
    assert torch.equal(before, torch.get_rng_state())
    assert causes[1] is None
    assert causes[0] is not None
    assert f"view 1 of sample {index}, in epoch 1, step {step}" in str(causes[0])
    assert searches[0].find(step - 1, 0) is None
