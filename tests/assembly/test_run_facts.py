"""The facts of a run."""

from __future__ import annotations

import pytest

from sslreg.assembly import assemble


def test_assembling_adds_all_facts(spec) -> None:
    assert assemble(spec("trainer.max_epochs=3", "trainer.accumulate_grad_batches=2")).facts == {
        "world_size": 1,
        "num_samples": 1348,
        "num_classes": 10,
        "batch_size": 64,
        "in_channels": 1,
        "image_size": 8,
        "steps_per_epoch": 11,
        "total_steps": 33,
        "num_features": 32,
        "embedding_dim": 16,
    }


@pytest.mark.parametrize(
    ("trainer", "steps"),
    [
        ("{max_epochs: 3}", 63),
        ("{max_steps: 5}", 5),
        ("{max_epochs: 3, max_steps: 100}", 63),
        ("{max_epochs: 3, limit_train_batches: 4}", 12),
        ("{max_epochs: 2, limit_train_batches: 0.5}", 20),
    ],
)
def test_total_steps_follow_the_trainers_limits(spec, trainer: str, steps: int) -> None:
    assert assemble(spec(f"trainer={trainer}")).facts["total_steps"] == steps
