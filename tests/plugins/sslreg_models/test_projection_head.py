import torch
from lightly.models.modules.heads import MoCoProjectionHead, SimCLRProjectionHead
from torch import nn

from sslreg_models.projection_head import projection_head


def test_with_batch_norm_it_is_lightlys_simclr_head() -> None:
    assert_same(projection_head(12, [20, 7], output_norm="affine"), SimCLRProjectionHead(12, 20, 7))


def test_without_batch_norm_it_is_lightlys_moco_head() -> None:
    assert_same(projection_head(12, [20, 7], hidden_norm=False), MoCoProjectionHead(12, 20, 7))


def test_three_layers_are_simclr_v2s() -> None:
    assert_same(projection_head(12, [20, 20, 7], output_norm="affine"), SimCLRProjectionHead(12, 20, 7, num_layers=3))


def test_one_width_is_a_linear_head() -> None:
    (layer,) = projection_head(12, [7], hidden_norm=False)
    assert isinstance(layer, nn.Linear)
    assert layer.bias is not None


def test_without_widths_it_is_the_identity() -> None:
    features = torch.randn(3, 12)
    assert torch.equal(projection_head(12, [], output_norm="affine")(features), features)


def assert_same(ours: nn.Module, theirs: nn.Module) -> None:
    ours.load_state_dict({name.removeprefix("layers."): value for name, value in theirs.state_dict().items()})
    features = torch.randn(9, 12)
    torch.testing.assert_close(ours(features), theirs(features))
