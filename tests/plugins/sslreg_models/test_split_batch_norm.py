import copy

import pytest
import torch
from lightly.models.batchnorm import SplitBatchNorm
from torch import nn

from sslreg_backbones.convnet import ConvNet
from sslreg_models.split_batch_norm import SplitBatchNorm2d, split_batch_norm


def test_outputs_and_running_statistics_are_lightlys() -> None:
    ours, theirs = SplitBatchNorm2d(nn.BatchNorm2d(3), splits=4), SplitBatchNorm(3, num_splits=4)
    for seed in range(3):
        images = torch.randn(8, 3, 5, 5, generator=torch.Generator().manual_seed(seed)) * 3 + 1
        torch.testing.assert_close(ours(images), theirs(images))
    torch.testing.assert_close(ours.eval()(images), theirs.eval()(images))


def test_each_part_is_normalized_like_a_batch_of_its_own() -> None:
    images = torch.randn(6, 3, 4, 4)
    split = SplitBatchNorm2d(nn.BatchNorm2d(3), splits=2)(images)
    for part in range(2):
        torch.testing.assert_close(split[part::2], nn.BatchNorm2d(3)(images[part::2]))


def test_a_backbones_layers_are_split_and_keep_their_state() -> None:
    backbone = ConvNet(in_channels=1, width=4)
    for parameter in backbone.parameters():
        nn.init.normal_(parameter)
    plain = copy.deepcopy(backbone).eval()
    split = split_batch_norm(backbone, 2)
    layers = [module for module in split.modules() if isinstance(module, nn.BatchNorm2d)]
    assert [type(layer) for layer in layers] == [SplitBatchNorm2d] * 5
    assert list(split.state_dict()) == list(plain.state_dict())
    images = torch.rand(4, 1, 8, 8)
    torch.testing.assert_close(split.eval()(images), plain(images))


def test_one_split_leaves_the_backbone_alone() -> None:
    backbone = ConvNet(in_channels=1, width=4)
    layers = list(split_batch_norm(backbone, 1).modules())
    assert not any(isinstance(layer, SplitBatchNorm2d) for layer in layers)


def test_plain_averages_are_kept_without_a_momentum() -> None:
    split = SplitBatchNorm2d(nn.BatchNorm2d(2, momentum=None), splits=2)
    batches = [torch.randn(4, 2, 3, 3) for _ in range(3)]
    for images in batches:
        split(images)
    torch.testing.assert_close(split.running_mean, torch.stack([b.mean(dim=(0, 2, 3)) for b in batches]).mean(dim=0))


def test_a_batch_that_does_not_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a batch of 6 .* bn_splits: 4"):
        SplitBatchNorm2d(nn.BatchNorm2d(2), splits=4)(torch.rand(6, 2, 3, 3))
