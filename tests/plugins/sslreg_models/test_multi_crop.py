"""Methods that take crops of two sizes: each size passes the student's backbone at once, and the teacher's once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch

import sslreg
from sslreg.assembly import assemble
from sslreg.contracts import SampleKeys

GLOBAL, LOCAL, SAMPLES = 2, 8, 4


@pytest.fixture(params=["dino", "dinov2", "ibot", "lejepa", "swav"])
def pipeline(request: pytest.FixtureRequest) -> Any:
    return assemble(sslreg.load_spec(f"digits-{request.param}", ["trainer.accelerator=cpu"]))


def make_batch(sizes: tuple[int, int], channels: int) -> sslreg.Batch:
    generator = torch.Generator().manual_seed(0)
    shapes = [sizes[0]] * GLOBAL + [sizes[1]] * LOCAL
    views = [torch.rand(SAMPLES, channels, size, size, generator=generator) for size in shapes]
    roles = ("global",) * GLOBAL + ("local",) * LOCAL
    keys = SampleKeys.of_samples(0, [0] * SAMPLES, range(SAMPLES))
    return sslreg.Batch(views, None, torch.arange(SAMPLES), roles=roles, sample_keys=keys)


def test_ten_crops_pass_the_backbone_in_two_calls(pipeline: Any) -> None:
    model = pipeline.model.train()
    stems = {
        name: next(layer for layer in module.modules() if isinstance(layer, torch.nn.Conv2d))
        for name, module in (("teacher", model.backbone), ("student", getattr(model, "student_backbone", None)))
        if module is not None
    }
    calls: Counter[str] = Counter()
    images: Counter[str] = Counter()
    for name, stem in stems.items():

        def count(_: Any, inputs: Any, name: str = name) -> None:
            calls[name] += 1
            images[name] += len(inputs[0])

        stem.register_forward_pre_hook(count)
    model.training_step(make_batch((16, 8), 1), pipeline.loss)
    if len(stems) == 1:  # the backbone learns without a teacher
        assert (calls, images) == ({"teacher": 2}, {"teacher": SAMPLES * (GLOBAL + LOCAL)})
        return
    assert calls == {"student": 2, "teacher": 1}
    assert images == {"student": SAMPLES * (GLOBAL + LOCAL), "teacher": SAMPLES * GLOBAL}
