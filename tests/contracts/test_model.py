import pytest
import torch
from timm.models import VisionTransformer
from timm.optim import param_groups_layer_decay
from torch import nn

import sslreg


def make_views(sizes: list[int]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(4, 3, size, size, generator=generator, dtype=torch.float64) for size in sizes]


def backbone(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 5, 3), *layers, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*layers).double()


def test_views_of_a_size_run_together_and_equal_one_call_per_view() -> None:
    module, views, sizes = backbone(), make_views([16, 8, 16, 8, 12]), []
    module.register_forward_hook(lambda _, images, __: sizes.append(tuple(images[0].shape)))

    together = sslreg.forward_by_size(module, views)

    assert sizes == [(8, 3, 16, 16), (8, 3, 8, 8), (4, 3, 12, 12)]
    torch.testing.assert_close(together, [module(view) for view in views])


def test_batch_statistics_are_those_of_all_views_of_a_size() -> None:
    module, views = backbone(nn.BatchNorm2d(5)), make_views([16, 8, 16])

    first, small, third = sslreg.forward_by_size(module, views)

    torch.testing.assert_close(torch.cat([first, third]), module(torch.cat([views[0], views[2]])))
    torch.testing.assert_close(small, module(views[1]))
    assert not torch.allclose(first, module(views[0]))


@pytest.mark.parametrize(
    ("roles", "views"),
    [
        ({"global": (2, 2), "local": (0, None)}, (2, None)),
        ({"global": (2, 2), "local": (1, 6)}, (3, 8)),
    ],
)
def test_the_number_of_views_is_the_sum_over_the_roles(roles, views) -> None:
    model = type("MultiCrop", (sslreg.Model,), {"roles": roles})

    assert model.views == views
    assert type("Derived", (model,), {}).views == views
    assert type("Pairs", (model,), {"roles": {"global": (2, 2)}}).views == (2, 2)
    assert sslreg.Model.views == (2, 2)


def test_a_model_declares_roles_or_views() -> None:
    roles = {"global": (2, 2)}
    with pytest.raises(TypeError, match="MultiCrop has roles"):
        type("MultiCrop", (sslreg.Model,), {"roles": roles, "views": (2, 2)})
    with pytest.raises(TypeError, match="Derived has roles"):
        type("Derived", (type("MultiCrop", (sslreg.Model,), {"roles": roles}),), {"views": (2, 4)})


def test_biases_and_normalization_layers_are_split_from_matrices() -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2), nn.Linear(2, 2).requires_grad_(False)
    )
    module.register_parameter("scale", nn.Parameter(torch.ones(())))
    expected = [
        {"params": [module[0].weight, module[2].weight]},
        {"params": [module.scale, module[0].bias, module[1].weight, module[1].bias, module[2].bias], "weight_decay": 0},
    ]

    for groups in (sslreg.split_weight_decay(module), sslreg.split_weight_decay(module.parameters())):
        assert [{**group, "params": [id(one) for one in group["params"]]} for group in groups] == [
            {**group, "params": [id(one) for one in group["params"]]} for group in expected
        ]


def test_one_group_may_be_empty() -> None:
    decayed, others = sslreg.split_weight_decay(nn.LayerNorm(3))

    assert not decayed["params"]
    assert len(others["params"]) == 2


class TimmViT(sslreg.PatchBackbone):
    """timm's Vision Transformer of three blocks with a head, without its forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.body = VisionTransformer(img_size=16, patch_size=8, embed_dim=8, depth=3, num_heads=2, num_classes=2)

    def parameters_by_depth(self):
        later = [list(self.body.blocks[block].parameters()) for block in range(3)]
        later.append([*self.body.norm.parameters(), *self.body.head.parameters()])
        known = {id(parameter) for parameters in later for parameter in parameters}
        return [[parameter for parameter in self.parameters() if id(parameter) not in known], *later]


def test_layers_have_the_learning_rates_and_the_weight_decay_of_timm() -> None:
    """timm counts the last norm to the last block; in BEiT and DINOv2 it has the full rate."""
    backbone = TimmViT()
    expected = {
        id(parameter): (group["lr_scale"], group["weight_decay"])
        for group in param_groups_layer_decay(backbone.body, weight_decay=0.05, layer_decay=0.75)
        for parameter in group["params"]
    }

    expected |= {id(parameter): (1.0, 0.0) for parameter in backbone.body.norm.parameters()}

    groups = sslreg.layer_decay(backbone, 0.75)

    assert {
        id(parameter): (group["lr_scale"], group.get("weight_decay", 0.05))
        for group in groups
        for parameter in group["params"]
    } == expected
    assert len(expected) == len(list(backbone.parameters()))
    assert [group["lr_scale"] for group in groups] == sorted((group["lr_scale"] for group in groups), reverse=True)


def test_frozen_layers_have_no_group() -> None:
    backbone = TimmViT()
    backbone.body.blocks[0].requires_grad_(False)

    assert 0.5**3 not in [group["lr_scale"] for group in sslreg.layer_decay(backbone, 0.5)]


@pytest.mark.parametrize("decay", [0, 1.1, float("nan")])
def test_a_layer_decay_out_of_range_is_refused(decay) -> None:
    with pytest.raises(ValueError, match=r"must be in \(0, 1\]"):
        sslreg.layer_decay(TimmViT(), decay)
