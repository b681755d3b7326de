import torch

from sslreg.registry import installed


def test_torchs_own_optimizers_are_registered_unchanged() -> None:
    assert installed().get("optimizer", "sgd").load() is torch.optim.SGD
    assert installed().get("optimizer", "adamw").load() is torch.optim.AdamW
