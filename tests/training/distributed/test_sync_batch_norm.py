"""The layer by itself: in one process it has to be torch's own. Over two, see test_ddp_parity.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn

from sslreg import UserError, train
from sslreg.spec import parse_spec
from sslreg.training.distributed.sync_batch_norm import AllReducedBatchNorm, SyncBatchNorm


@pytest.fixture(autouse=True)
def group_of_one() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("options", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}])
@pytest.mark.parametrize(("kind", "shape"), [(nn.BatchNorm1d, (6, 4)), (nn.BatchNorm2d, (6, 4, 3, 5))])
def test_output_gradient_and_running_statistics_are_those_of_torch(
    kind: type[nn.BatchNorm1d], shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    theirs, exchanged = kind(4, **options).double(), nn.Sequential(kind(4, **options).double())
    ours = SyncBatchNorm().apply(exchanged)[0]
    assert isinstance(ours, AllReducedBatchNorm)
    for _ in range(3):
        images = (torch.randn(shape, dtype=torch.float64) * 3 + 5).requires_grad_()
        weights = torch.randn(shape, dtype=torch.float64)
        outputs = [layer(images) for layer in (theirs, ours)]
        gradients = [torch.autograd.grad((output * weights).sum(), images)[0] for output in outputs]
        torch.testing.assert_close(outputs[1], outputs[0], rtol=0, atol=1e-12)
        torch.testing.assert_close(gradients[1], gradients[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.eval()(images), theirs.eval()(images), rtol=0, atol=1e-12)


def test_exchanged_layers_keep_their_parameters_and_come_back() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.BatchNorm1d(4)), nn.BatchNorm2d(4)).eval()
    parameters, names = list(model.parameters()), list(model.state_dict())
    exchanged = SyncBatchNorm().apply(model)
    assert [type(exchanged[1][0]), type(exchanged[2])] == [AllReducedBatchNorm] * 2
    assert not any(module.training for module in exchanged.modules())
    restored = SyncBatchNorm().revert(exchanged)
    assert [type(restored[1][0]), type(restored[2])] == [nn.BatchNorm1d, nn.BatchNorm2d]
    assert all(a is b for a, b in zip(restored.parameters(), parameters, strict=True))
    assert list(restored.state_dict()) == names


def test_a_layer_that_would_lose_something_is_refused_before_anything_is_written(tiny_spec: str, tmp_path) -> None:
    model = "model={use: moco, backbone: {use: convnet, width: 4, depth: 3}, projection: [16], bn_splits: 2}"
    devices = ["trainer.devices=2", "trainer.strategy=ddp", "trainer.sync_batchnorm=true"]
    spec = parse_spec(tiny_spec, "tiny.yaml", [model, *devices])
    with pytest.raises(UserError, match="SplitBatchNorm2d"):
        train(spec, tmp_path / "run")
    assert not (tmp_path / "run").exists()
