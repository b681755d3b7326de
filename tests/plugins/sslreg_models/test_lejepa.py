"""LeJEPA: crops of one size pass the backbone together, and the loss gets them by their role."""

from __future__ import annotations

import torch
from torch import Tensor

import sslreg
from sslreg_backbones.convnet import ConvNet
from sslreg_losses import LeJEPALoss
from sslreg_models.lejepa import LeJEPA


def lejepa() -> LeJEPA:
    torch.manual_seed(0)
    return LeJEPA(ConvNet(in_channels=1, width=4), projection=[12, 6]).double()


def batch(*roles: str) -> sslreg.Batch:
    generator = torch.Generator().manual_seed(0)
    sizes = [16 if role == "global" else 8 for role in roles]
    views = [torch.rand(5, 1, size, size, generator=generator, dtype=torch.float64) for size in sizes]
    return sslreg.Batch(views, None, torch.arange(5), roles=roles)


def embed(model: LeJEPA, views: list[Tensor]) -> list[Tensor]:
    """Return the projections by the definition: one pass for each size, and one of the projector."""
    big, small = ([view for view in views if view.shape[-1] == size] for size in (16, 8))
    features = torch.cat([model.backbone(torch.cat(same)) for same in (big, small) if same])
    return list(model.projection(features).split(5))


def test_its_loss_is_that_of_global_and_local_views() -> None:
    views = batch("global", "local", "global", "local")
    ordered = [views.views[number] for number in (0, 2, 1, 3)]
    z = embed(lejepa(), ordered)
    loss = LeJEPALoss(directions=8)
    step = lejepa().training_step(views, loss)
    torch.testing.assert_close(step.loss, loss(z[:2], z[2:]))
    torch.testing.assert_close(step.embeddings, z[0])


def test_global_views_suffice() -> None:
    views = batch("global", "global", "global")
    loss = LeJEPALoss(directions=8)
    torch.testing.assert_close(lejepa().training_step(views, loss).loss, loss(embed(lejepa(), views.views)))
