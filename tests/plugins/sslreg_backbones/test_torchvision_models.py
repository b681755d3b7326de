import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torchvision import models

import sslreg
from sslreg_backbones import torchvision_models
from sslreg_backbones.torchvision_names import FAMILIES, NAMES


class ParametersOnMeta(TorchFunctionMode):
    """Makes modules whose parameters take no memory and no time; what their constructors compute with is real."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        elsewhere = {"device": "meta"} if function is torch.empty else {}
        return function(*args, **{**(kwargs or {}), **elsewhere})


def build(name: str, **parameters: Any) -> torchvision_models.TorchvisionBackbone:
    backbone: torchvision_models.TorchvisionBackbone = getattr(torchvision_models, name)(**parameters)
    return backbone


def test_the_names_are_torchvisions() -> None:
    assert sorted(NAMES) == sorted(models.list_models(module=models))


def test_registering_the_names_imports_neither_torchvision_nor_torch() -> None:
    code = "import sys; from sslreg.registry import installed; assert installed().of_kind('backbone')"
    code += "; sys.exit('torchvision' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def assert_features_are_as_wide_as_promised(name: str) -> None:
    with ParametersOnMeta():
        backbone = build(name, in_channels=5).to("meta").eval()
    with torch.no_grad():
        features = backbone(torch.empty(2, 5, 224, 224, device="meta"))
    assert features.shape == (2, backbone.num_features)


@pytest.mark.parametrize("name", [names[0] for names in FAMILIES.values()])
def test_a_model_of_every_family_gives_features_as_wide_as_promised(name: str) -> None:
    assert_features_are_as_wide_as_promised(name)


@pytest.mark.slow
def test_every_other_model_does_too() -> None:
    for names in FAMILIES.values():
        for name in names[1:]:
            assert_features_are_as_wide_as_promised(name)


#: Models whose last layers differ in what comes before them.
ENDINGS = [
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "mobilenet_v3_small",
    "resnet18",
    "shufflenet_v2_x0_5",
    "swin_t",
]


@pytest.mark.parametrize("name", ENDINGS)
def test_features_are_what_torchvisions_last_layer_is_given(name: str) -> None:
    torch.manual_seed(0)
    theirs, ours = models.get_model(name).eval(), build(name).eval()
    ours.body.load_state_dict(theirs.state_dict(), strict=False)
    given: list[Tensor] = []
    last = [module for module in theirs.modules() if isinstance(module, nn.Linear)][-1]
    last.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        theirs(images)
        torch.testing.assert_close(ours(images), given[0])


def test_squeezenets_features_are_pooled_where_its_convolution_classified() -> None:
    theirs, ours = models.squeezenet1_1().eval(), build("squeezenet1_1").eval()
    ours.body.load_state_dict(theirs.state_dict(), strict=False)
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(ours(images), theirs.features(images).mean(dim=(2, 3)))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1"])
def test_the_state_is_torchvisions_less_the_head(name: str) -> None:
    state = {key.removeprefix("body."): value for key, value in build(name).state_dict().items()}
    missing, unexpected = models.get_model(name).load_state_dict(state, strict=False)
    assert unexpected == []
    assert len(missing) == 2
    assert {key.rpartition(".")[2] for key in missing} == {"weight", "bias"}


@pytest.mark.parametrize("name", ["efficientnet_b0", "mobilenet_v2", "mobilenet_v3_small", "squeezenet1_1"])
def test_no_dropout_is_left_on_the_features(name: str) -> None:
    backbone = build(name)
    assert not any(isinstance(module, nn.Dropout) and module.p for module in list(backbone.modules())[-4:])


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_classifiers_are_off(name: str) -> None:
    with ParametersOnMeta():
        backbone = build(name).to("meta").train()
    assert isinstance(backbone(torch.empty(2, 3, 299, 299, device="meta")), Tensor)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_a_checkpoint_holds_whether_the_weights_transform_the_input(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for function in ("load_weights", "open_torchvision_weights"):
        monkeypatch.setattr(torchvision_models, function, lambda *_, **__: None)
    with ParametersOnMeta():
        pretrained, restored = build(name, weights="DEFAULT"), build(name)
    assert not restored.body.transform_input
    restored.load_state_dict(pretrained.state_dict())
    assert restored.body.transform_input
    assert "transform_input=True" in restored.plain().code


@pytest.mark.parametrize("name", ["resnet18", "resnext50_32x4d", "wide_resnet50_2"])
def test_a_small_stem_keeps_the_resolution_of_small_images(name: str) -> None:
    with ParametersOnMeta():
        backbone = build(name, in_channels=1, stem="small").to("meta")
    images = torch.empty(2, 1, 32, 32, device="meta")
    assert backbone.body.maxpool(backbone.body.conv1(images)).shape == (2, 64, 32, 32)
    assert backbone(images).shape == (2, backbone.num_features)


def test_a_small_stem_is_refused_where_there_is_none() -> None:
    with pytest.raises(ValueError, match="stem: small is for ResNets, but vgg11 is none"), ParametersOnMeta():
        build("vgg11", stem="small")


def test_other_channels_leave_the_spread_of_the_first_filters() -> None:
    torch.manual_seed(0)
    three, five = build("resnet18"), build("resnet18", in_channels=5)
    assert five.body.conv1.weight.shape == (64, 5, 7, 7)
    torch.testing.assert_close(five.body.conv1.weight.std(), three.body.conv1.weight.std(), rtol=0.1, atol=0)


@pytest.mark.parametrize(("name", "size"), [("vit_b_16", 64), ("maxvit_t", 448)])
def test_transformers_are_made_for_the_size_of_the_views(name: str, size: int) -> None:
    with ParametersOnMeta():
        backbone = build(name, image_size=size).to("meta")
    assert backbone(torch.empty(2, 3, size, size, device="meta")).shape == (2, backbone.num_features)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("vit_b_16", 50, "images of 50x50 pixels do not divide into patches of 16x16; .* a multiple of 16, such as 64"),
        ("maxvit_t", 100, "maxvit_t cannot be built for images of 100 pixels"),
    ],
)
def test_a_size_that_a_transformer_cannot_have_is_refused(name: str, size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message), ParametersOnMeta():
        build(name, image_size=size)


def test_a_backbone_can_be_pickled() -> None:
    backbone = build("squeezenet1_1").eval()
    images = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(pickle.loads(pickle.dumps(backbone))(images), backbone(images))


def test_a_spec_builds_it_by_its_bare_name() -> None:
    model = sslreg.build("model", "simclr", backbone={"use": "resnet18", "stem": "small"})
    assert isinstance(model.backbone, torchvision_models.resnet18)


def rebuilt(plain: sslreg.PlainModule) -> nn.Module:
    """The module that the code builds, with the backbone's state."""
    names: dict[str, Any] = {}
    exec(plain.code, names)
    names["model"].load_state_dict(plain.module.state_dict())
    model: nn.Module = names["model"].eval()
    return model


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet18", {}),
        ("resnet18", {"stem": "small", "in_channels": 1}),
        ("vit_b_32", {"image_size": 64}),
        ("squeezenet1_1", {}),
        ("mobilenet_v3_small", {"in_channels": 5}),
        ("googlenet", {}),
    ],
)
def test_torchvision_itself_builds_the_backbone_by_the_code_that_it_gives(
    name: str, parameters: dict[str, Any]
) -> None:
    backbone = build(name, **parameters).eval()
    plain = backbone.plain()
    assert plain.library == "torchvision"
    images = torch.rand(2, parameters.get("in_channels", 3), 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(rebuilt(plain)(images), backbone(images), rtol=0, atol=0)


def test_the_code_of_a_plain_resnet_exchanges_its_head_alone() -> None:
    assert build("resnet18").plain().code.splitlines() == [
        "import torch, torchvision",
        "model = torchvision.models.resnet18()",
        'model.set_submodule("fc", torch.nn.Identity())',
    ]


@pytest.mark.parametrize(("stem", "grid"), [("imagenet", (2, 3)), ("small", (8, 12))])
def test_the_patches_of_a_resnet_are_its_last_feature_map(stem: str, grid: tuple[int, int]) -> None:
    backbone, images = build("resnet18", stem=stem).eval(), torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        patches = backbone.patches(images)
        assert patches.shape == (2, *grid, 512)
        torch.testing.assert_close(patches.mean(dim=(1, 2)), backbone(images))


def test_other_architectures_have_no_features_of_patches() -> None:
    with torch.device("meta"), pytest.raises(ValueError, match="mobilenet_v2 has no features of patches"):
        build("mobilenet_v2").require_patches()
