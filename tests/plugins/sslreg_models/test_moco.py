import copy
from typing import Any

import pytest
import torch
from lightly.models.modules.heads import MoCoProjectionHead
from lightly.models.utils import update_momentum
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

import sslreg
from sslreg_backbones.convnet import ConvNet
from sslreg_losses import NTXentLoss
from sslreg_memory_banks import FIFOMemoryBank
from sslreg_models.moco import MoCo


def moco(**parameters: object) -> MoCo:
    torch.manual_seed(0)
    return MoCo(ConvNet(in_channels=1, width=4), **{"projection": [12, 6], **parameters})  # type: ignore[arg-type]


def batch(seed: int = 0) -> sslreg.Batch:
    generator = torch.Generator().manual_seed(seed)
    return sslreg.Batch([torch.rand(8, 1, 8, 8, generator=generator) for _ in range(2)], None, torch.arange(8))


class Dot(sslreg.Loss):
    """The mean dot product, and what it was called with."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Tensor, Tensor]] = []

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        query, key = views
        self.calls.append((query, key))
        return (query * key).sum(dim=1).mean()


def test_the_key_encoder_starts_as_a_copy_that_is_not_trained() -> None:
    model = moco()
    state = model.state_dict()
    for name in (name for name in state if name.startswith("key_")):
        torch.testing.assert_close(state[name], state[name.removeprefix("key_")])
    (group,) = model.parameter_groups()
    assert len(group["params"]) == len([*model.backbone.parameters(), *model.projection.parameters()])
    assert not any(parameter.requires_grad for parameter in model.key_backbone.parameters())


def test_three_steps_are_those_of_the_pseudocode_of_the_paper(record_difference: Any) -> None:
    """Algorithm 1, with lightly's head and momentum update, and a queue of 12 keys that starts empty."""
    model = moco(momentum=0.9).double()
    head = MoCoProjectionHead(model.backbone.num_features, 12, 6).double()
    head.load_state_dict({f"layers.{name}": value for name, value in model.projection.state_dict().items()})
    query = nn.Sequential(copy.deepcopy(model.backbone), head)
    key = copy.deepcopy(query).requires_grad_(False)
    loss = NTXentLoss(0.2, FIFOMemoryBank(12, 6, dtype="float64"))
    optimizer, other = (torch.optim.SGD(one, lr=0.5) for one in (model.parameter_groups(), query.parameters()))
    queue = torch.zeros(0, 6, dtype=torch.float64)
    for seed in range(3):
        views = [view.double() for view in batch(seed).views]
        value = model.training_step(sslreg.Batch(views, None, torch.arange(8)), loss).loss
        q, k = (normalize(network(view), dim=1) for network, view in zip((query, key), views, strict=True))
        logits = torch.cat([(q * k).sum(dim=1, keepdim=True), q @ queue.T], dim=1) / 0.2
        expected = cross_entropy(logits, torch.zeros(8, dtype=torch.int64))
        difference = (value - expected).abs().item()
        record_difference("moco", "the paper's pseudocode with lightly's head, three steps", difference)
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-12)
        if seed:  # the first queue is empty, and both losses are 0
            for one, own in ((value, optimizer), (expected, other)):
                own.zero_grad()
                one.backward()
                own.step()
        model.after_step()
        loss.commit()
        update_momentum(query, key, 0.9)
        queue = torch.cat([queue, k])[-12:]


def test_the_first_view_is_the_query_and_the_second_the_key() -> None:
    model, views, loss = moco(), batch(), Dot()
    expected = copy.deepcopy(model)
    step = model.training_step(views, loss)
    ((query, key),) = loss.calls
    torch.testing.assert_close(query, expected.projection(expected.backbone(views.views[0])))
    torch.testing.assert_close(key, expected.key_projection(expected.key_backbone(views.views[1])))
    assert query.requires_grad
    assert not key.requires_grad
    assert step.embeddings is query


def test_symmetric_lets_the_views_change_places() -> None:
    model, views, loss = moco(symmetric=True), batch(), Dot()
    step = model.training_step(views, loss)
    swapped = sslreg.Batch(views.views[::-1], None, views.indices)
    one, other = moco().training_step(views, Dot()).loss, moco().training_step(swapped, Dot()).loss
    torch.testing.assert_close(step.loss, (one + other) / 2)


def test_after_a_step_the_key_encoder_has_moved_by_the_momentum() -> None:
    model = moco(momentum=0.9)
    before = copy.deepcopy(model.key_backbone)
    with torch.no_grad():
        for parameter in model.backbone.parameters():
            parameter.add_(1)
    model.after_step()
    for slow, old, fast in zip(
        model.key_backbone.parameters(), before.parameters(), model.backbone.parameters(), strict=True
    ):
        torch.testing.assert_close(slow, 0.9 * old + 0.1 * fast)


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_bank_holds_the_keys_of_past_steps_as_negatives(symmetric: bool) -> None:
    model, bank = moco(symmetric=symmetric), FIFOMemoryBank(size=20, dim=6)
    loss = NTXentLoss(temperature=0.1, memory_bank=bank)
    for seed in range(2):
        model.training_step(batch(seed), loss).loss.backward()
        assert len(bank.negatives()) == seed * 8 * (1 + symmetric)
        loss.commit()
        model.after_step()
    assert len(bank.negatives()) == min(20, 16 * (1 + symmetric))


def test_without_splits_and_other_processes_nothing_is_shuffled() -> None:
    model, images = moco(), batch().views[1]
    expected = copy.deepcopy(model)
    torch.testing.assert_close(model.embed_keys(images), expected.key_projection(expected.key_backbone(images)))


def test_splits_group_keys_and_queries_differently_but_keep_their_order() -> None:
    model = moco(bn_splits=4).eval()  # evaluation takes the statistics out of the comparison
    images = batch().views[0]
    torch.testing.assert_close(model.embed_keys(images), model.key_projection(model.key_backbone(images)))
    model.train()
    first = model.embed_keys(images)
    assert not all(torch.allclose(first, model.embed_keys(images)) for _ in range(5))


def test_one_width_is_the_linear_head_of_v1() -> None:
    model = moco(projection=[6])
    assert len(model.projection) == 1
    assert model.embedding_dim == 6


def test_its_whole_state_resumes() -> None:
    model, other = moco(), MoCo(ConvNet(in_channels=1, width=4), projection=[12, 6])
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(
        model.training_step(batch(), NTXentLoss()).loss, other.training_step(batch(), NTXentLoss()).loss
    )


def test_it_learns_to_find_a_key_among_the_negatives() -> None:
    model, loss = moco(momentum=0.9), NTXentLoss(temperature=0.2)
    optimizer = torch.optim.SGD(model.parameter_groups(), lr=0.1)
    views = batch().views[:1] * 2
    losses = []
    for _ in range(40):
        step = model.training_step(sslreg.Batch(views, None, torch.arange(8)), loss)
        optimizer.zero_grad()
        step.loss.backward()
        optimizer.step()
        model.after_step()
        losses.append(step.loss.item())
    assert losses[-1] < losses[0] - 0.2
