"""NNCLR against the pseudocode of the paper, with lightly's heads."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from lightly.models.modules.heads import NNCLRPredictionHead, NNCLRProjectionHead
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

import sslreg
from sslreg_backbones.convnet import ConvNet
from sslreg_losses import NTXentLoss
from sslreg_memory_banks import FIFOMemoryBank, NearestNeighborMemoryBank
from sslreg_models.nnclr import NNCLR


def nnclr(bank: sslreg.MemoryBank | None = None) -> NNCLR:
    torch.manual_seed(0)
    bank = bank or NearestNeighborMemoryBank(12, dtype="float64")
    return NNCLR(ConvNet(in_channels=1, width=4), bank, projection=[12, 12, 6], prediction=[8]).double()


def load(theirs: nn.Module, ours: nn.Module) -> nn.Module:
    theirs.load_state_dict({f"layers.{name}": value for name, value in ours.state_dict().items()})
    return theirs.double()


def contrast(neighbor: Tensor, prediction: Tensor, temperature: float) -> Tensor:
    """The loss of the paper's pseudocode."""
    logits = normalize(neighbor, dim=1) @ normalize(prediction, dim=1).T / temperature
    return cross_entropy(logits, torch.arange(len(logits)))


def nearest(queries: Tensor, past: Tensor) -> Tensor:
    return past[(normalize(queries, dim=1) @ past.T).argmax(dim=1)] if len(past) else queries.detach()


def test_four_steps_are_those_of_the_pseudocode_of_the_paper(make_batch: Any, record_difference: Any) -> None:
    model, loss = nnclr(), NTXentLoss(0.1, symmetric=False)
    backbone = copy.deepcopy(model.backbone)
    projection = load(NNCLRProjectionHead(backbone.num_features, 12, 6), model.projection)
    prediction = load(NNCLRPredictionHead(6, 8, 6), model.prediction)
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5)
    other = torch.optim.SGD(nn.ModuleList([backbone, projection, prediction]).parameters(), lr=0.5)
    past = torch.zeros(0, 6, dtype=torch.float64)
    for step in range(4):
        value = model.training_step(make_batch(step), loss).loss
        z1, z2 = (projection(backbone(view)) for view in make_batch(step).views)
        p1, p2 = prediction(z1), prediction(z2)
        # The order of the two predictions decides the running statistics, not the loss.
        expected = (contrast(nearest(z1, past), p2, 0.1) + contrast(nearest(z2, past), p1, 0.1)) / 2
        record_difference(
            "nnclr", "the paper's pseudocode with lightly's heads, four steps", (value - expected).abs().item()
        )
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
        for one, own in ((value, optimizer), (expected, other)):
            own.zero_grad()
            one.backward()
            own.step()
        model.memory_bank.commit()
        past = torch.cat([past, normalize(z1.detach(), dim=1)])[-12:]
    assert len(model.memory_bank.negatives()) == 12


def test_a_bank_without_nearest_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="memory banks that can: nearest_neighbor"):
        nnclr(FIFOMemoryBank(12))
