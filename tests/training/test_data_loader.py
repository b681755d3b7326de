"""The batches of a training."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sslreg.assembly import Pipeline, assemble
from sslreg.spec import parse_spec
from sslreg.training.data_loader import build_training_loader


@pytest.fixture(scope="module")
def pipeline(tiny_spec: str) -> Pipeline:
    return assemble(parse_spec(tiny_spec, "tiny.yaml", ["data.batch_size=512"]), device="cpu")


def masks(pipeline: Pipeline, rank: int = 0, world_size: int = 1, batches: int = 0) -> list[Tensor]:
    """Return what a model would draw for each of the remaining batches of the second epoch."""
    loader = build_training_loader(
        pipeline, rank=rank, world_size=world_size, device=torch.device("cpu"), epoch=1, batches=batches
    )
    return [batch.finish("cpu").keys("mask").uniform(size=(4,)) for batch in loader]


def test_several_processes_draw_in_a_model_what_one_would_draw(pipeline: Pipeline) -> None:
    ranks = zip(masks(pipeline, 0, 2), masks(pipeline, 1, 2), strict=True)

    assert all(torch.equal(torch.cat(parts), whole) for parts, whole in zip(ranks, masks(pipeline), strict=True))


def test_a_resumed_run_draws_in_a_model_what_an_uninterrupted_one_draws(pipeline: Pipeline) -> None:
    resumed, whole = masks(pipeline, batches=1), masks(pipeline)

    assert len(resumed) == len(whole) - 1 > 0
    assert all(map(torch.equal, resumed, whole[1:]))
