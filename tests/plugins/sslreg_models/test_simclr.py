import copy
import inspect
from typing import Any

import pytest
import torch
from lightly.loss import NTXentLoss as LightlyLoss
from lightly.models.modules.heads import SimCLRProjectionHead
from torch import Tensor, nn

import sslreg
from sslreg_backbones.convnet import ConvNet
from sslreg_losses import NTXentLoss
from sslreg_models import simclr
from sslreg_models.simclr import SimCLR


def batch(views: int, targets: Tensor | None = None) -> sslreg.Batch:
    generator = torch.Generator().manual_seed(0)
    images = [torch.rand(8, 1, 8, 8, generator=generator) for _ in range(views)]
    return sslreg.Batch(images, targets, torch.arange(8))


class Recorded(sslreg.Loss):
    """Keeps what it is called with."""

    def __init__(self, takes: str) -> None:
        super().__init__()
        self.takes = takes  # type: ignore[misc]  # a class variable by contract
        self.calls: list[tuple[tuple[Tensor, ...], Tensor | None]] = []

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        self.calls.append((views, targets))
        return torch.stack(views).sum() * 0 + len(self.calls)


@pytest.fixture
def model() -> SimCLR:
    torch.manual_seed(0)
    return SimCLR(ConvNet(in_channels=1, width=4), projection=[16, 6])


def test_the_loss_compares_the_projections_of_two_views(model: SimCLR) -> None:
    views = batch(2)
    step = model.training_step(views, NTXentLoss())
    a, b = (model.projection(model.backbone(view)) for view in views.views)
    torch.testing.assert_close(step.loss, NTXentLoss()(a, b))
    assert step.embeddings is not None
    assert step.embeddings.shape == (8, model.embedding_dim) == (8, 6)


def test_three_steps_are_those_of_lightlys_modules(model: SimCLR, record_difference: Any) -> None:
    model = model.double()
    head = SimCLRProjectionHead(model.backbone.num_features, 16, 6).double()
    head.load_state_dict({f"layers.{name}": value for name, value in model.projection.state_dict().items()})
    network = nn.Sequential(copy.deepcopy(model.backbone), head)
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.5)
    other = torch.optim.SGD(network.parameters(), lr=0.5)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        views = [torch.rand(8, 1, 8, 8, generator=generator, dtype=torch.float64) for _ in range(2)]
        value = model.training_step(sslreg.Batch(views, None, torch.arange(8)), NTXentLoss(0.5)).loss
        expected = LightlyLoss(0.5)(*(network(view) for view in views))
        record_difference("simclr", "lightly's modules, three steps", (value - expected).abs().item())
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
        for loss, own in ((value, optimizer), (expected, other)):
            own.zero_grad()
            loss.backward()
            own.step()


def test_a_loss_of_pairs_is_averaged_over_the_pairs_of_more_views(model: SimCLR) -> None:
    loss = Recorded("pair")
    step = model.training_step(batch(4), loss)
    assert [len(views) for views, _ in loss.calls] == [2] * 6
    assert step.loss.item() == pytest.approx(sum(range(1, 7)) / 6)


@pytest.mark.parametrize("takes", ["views", "labeled views"])
def test_a_loss_of_views_gets_them_together_with_the_labels(model: SimCLR, takes: str) -> None:
    loss, targets = Recorded(takes), torch.arange(8)
    model.training_step(batch(3, targets), loss)
    ((views, given),) = loss.calls
    assert len(views) == 3
    assert given is targets


def test_without_a_projection_the_features_are_compared() -> None:
    model = SimCLR(ConvNet(in_channels=1, width=4), projection=[])
    step = model.training_step(batch(2), NTXentLoss())
    assert step.embeddings is not None
    assert step.embeddings.shape == (8, model.embedding_dim) == (8, model.backbone.num_features)


def test_views_may_differ_in_size(model: SimCLR) -> None:
    views = sslreg.Batch([torch.rand(4, 1, 16, 16), torch.rand(4, 1, 8, 8)], None, torch.arange(4))
    assert torch.isfinite(model.training_step(views, NTXentLoss()).loss)


def test_embedding_gives_the_backbones_features(model: SimCLR) -> None:
    images = torch.rand(3, 1, 8, 8)
    model.eval()
    torch.testing.assert_close(model.embed(images), model.backbone(images))


def test_everything_is_trained(model: SimCLR) -> None:
    model.training_step(batch(2), NTXentLoss()).loss.backward()
    (group,) = model.parameter_groups()
    assert len(group["params"]) == len(list(model.parameters()))
    assert all(parameter.grad is not None for parameter in group["params"])


def test_it_learns_to_tell_samples_apart(model: SimCLR) -> None:
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.1)
    views = batch(1).views * 2
    losses = []
    for _ in range(30):
        step = model.training_step(sslreg.Batch(views, None, torch.arange(8)), NTXentLoss())
        optimizer.zero_grad()
        step.loss.backward()
        optimizer.step()
        losses.append(step.loss.item())
    assert losses[-1] < losses[0] - 0.2


def test_the_file_stays_under_sixty_lines() -> None:
    assert len(inspect.getsource(simclr).splitlines()) < 60


def test_any_module_with_num_features_serves_as_backbone() -> None:
    backbone = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    backbone.num_features = 1  # type: ignore[assignment]
    step = SimCLR(backbone, projection=[4]).training_step(batch(2), NTXentLoss())  # type: ignore[arg-type]
    assert torch.isfinite(step.loss)
