"""Decisions that several processes have to take alike."""

from __future__ import annotations

import lightning.pytorch as lightning
import torch


def anywhere(trainer: lightning.Trainer, *facts: bool) -> list[bool]:
    """For each fact, whether it holds in any of the processes that train together. A collective call."""
    if trainer.world_size == 1:
        return list(facts)
    table = torch.tensor(facts, dtype=torch.int32, device=trainer.strategy.root_device)
    found = trainer.strategy.reduce(table, reduce_op="max")
    assert isinstance(found, torch.Tensor)
    return found.bool().tolist()
