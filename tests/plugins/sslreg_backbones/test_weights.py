from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models
from torchvision.models.vision_transformer import interpolate_embeddings

import sslreg
from sslreg_backbones import torchvision_models
from sslreg_backbones.convnet import ConvNet
from sslreg_backbones.vit import ViT
from sslreg_backbones.weight_files import hash_file
from sslreg_backbones.weight_sources import WeightFile
from sslreg_backbones.weights import adapt_channels, load_weights


def build(name: str, **parameters: Any) -> torchvision_models.TorchvisionBackbone:
    backbone: torchvision_models.TorchvisionBackbone = getattr(torchvision_models, name)(**parameters)
    return backbone


@pytest.fixture(scope="module")
def resnet() -> models.ResNet:
    torch.manual_seed(0)
    return models.resnet18().eval()


@pytest.fixture
def saved(resnet: models.ResNet, tmp_path: Path) -> Path:
    torch.save(resnet.state_dict(), tmp_path / "resnet18.pth")
    return tmp_path / "resnet18.pth"


def features(resnet: models.ResNet, images: torch.Tensor) -> torch.Tensor:
    return nn.Sequential(*list(resnet.children())[:-1], nn.Flatten())(images)


def test_a_state_dict_of_torchvisions_is_a_start(resnet: models.ResNet, saved: Path) -> None:
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(build("resnet18", weights=str(saved)).eval()(images), features(resnet, images))


def test_a_safetensors_file_of_a_backbone_of_ours_is_a_start(tmp_path: Path) -> None:
    trained = build("resnet18", stem="small", in_channels=1).eval()
    save_file(trained.state_dict(), tmp_path / "backbone.safetensors")
    again = build("resnet18", stem="small", in_channels=1, weights=str(tmp_path / "backbone.safetensors")).eval()
    images = torch.rand(2, 1, 16, 16)
    torch.testing.assert_close(again(images), trained(images))


@pytest.mark.parametrize("weights", ["IMAGENET1K_V1", "DEFAULT"])
def test_named_weights_are_torchvisions_own(
    weights: str, saved: Path, resnet: models.ResNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = saved.parent / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    saved.rename(cache / models.ResNet18_Weights.IMAGENET1K_V1.url.rpartition("/")[2])
    monkeypatch.setenv("TORCH_HOME", str(saved.parent))
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(build("resnet18", weights=weights).eval()(images), features(resnet, images))


def test_weights_that_cannot_be_downloaded_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> Any:
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("sslreg_backbones.weight_downloads.urlopen", unreachable)
    with pytest.raises(ValueError, match=r"cannot be downloaded \(.*no network.*pass the file's path"):
        build("resnet18", weights="DEFAULT")


def test_a_gray_image_gets_the_response_of_its_colored_copy(saved: Path) -> None:
    gray = torch.rand(2, 1, 32, 32)
    one = build("resnet18", in_channels=1, weights=str(saved)).eval()
    three = build("resnet18", weights=str(saved)).eval()
    torch.testing.assert_close(one(gray), three(gray.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)


def test_more_channels_repeat_the_filters_in_turn() -> None:
    filters = torch.randn(4, 3, 5, 5)
    folded = adapt_channels(filters, 7)
    assert folded.shape == (4, 7, 5, 5)
    torch.testing.assert_close(folded[:, 5] * 7 / 3, filters[:, 2])
    constant = torch.ones(1, 1, 5, 5)
    responses = [nn.functional.conv2d(constant.expand(-1, c, -1, -1), adapt_channels(filters, c)) for c in (3, 6)]
    torch.testing.assert_close(*responses)


def test_position_embeddings_are_resized_to_the_images(tmp_path: Path) -> None:
    torch.manual_seed(0)
    size = {"patch_size": 16, "num_layers": 1, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 8}
    large, small = models.VisionTransformer(64, **size), models.VisionTransformer(32, **size)
    small.heads = nn.Identity()
    torch.save(large.state_dict(), tmp_path / "large.pth")
    file = WeightFile("large.pth", tmp_path / "large.pth", large.state_dict())
    load_weights(small, file, heads=["heads.head"], adapt=lambda state: dict(interpolate_embeddings(32, 16, state)))
    embeddings = small.encoder.pos_embedding
    torch.testing.assert_close(embeddings[:, 0], large.encoder.pos_embedding[:, 0])
    grids = [each.encoder.pos_embedding[:, 1:].mean(dim=1) for each in (small, large)]
    torch.testing.assert_close(*grids, atol=0.02, rtol=0)


def test_a_name_that_does_not_exist_is_an_error_with_those_that_do() -> None:
    with pytest.raises(
        ValueError, match=r"'IMAGENET1K_V9' is neither a file .* torchvision's weights .*: IMAGENET1K_V1"
    ):
        build("resnet18", weights="IMAGENET1K_V9")


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_file_of_something_else_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"this is no state dict at all, whatever its name says")
    with pytest.raises(ValueError, match="neither a safetensors file nor a state dict"):
        build("resnet18", weights=str(tmp_path / name))


def test_a_file_without_tensors_is_an_error(tmp_path: Path, resnet: models.ResNet) -> None:
    torch.save({"module": resnet, "epoch": 3}, tmp_path / "checkpoint.pth")
    with pytest.raises(ValueError, match="must hold a state dict"):
        build("resnet18", weights=str(tmp_path / "checkpoint.pth"))


def test_weights_of_another_architecture_are_an_error(saved: Path) -> None:
    with pytest.raises(ValueError, match=r"belong to another architecture: without layer1.* and \d+ more"):
        build("resnet34", weights=str(saved))


def test_weights_of_another_stem_are_an_error(saved: Path) -> None:
    with pytest.raises(ValueError, match=r"conv1\.weight is \(64, 3, 7, 7\) in the file and \(64, 3, 3, 3\) in this"):
        build("resnet18", stem="small", weights=str(saved))


def test_weights_that_undo_a_normalization_want_three_channels() -> None:
    with pytest.raises(ValueError, match="need images of 3 channels, but the views have 1"):
        build("googlenet", in_channels=1, weights="DEFAULT")


SMALL_VIT: dict[str, Any] = {"patch_size": 4, "width": 8, "depth": 2, "heads": 2}


def save_vit(path: Path, **changes: Any) -> dict[str, torch.Tensor]:
    """Save the weights of a small ViT; return them."""
    torch.manual_seed(0)
    backbone = ViT(image_size=16, **{**SMALL_VIT, **changes})
    torch.nn.init.normal_(backbone.body.class_token)
    torch.save(backbone.state_dict(), path)
    return backbone.state_dict()


def test_the_report_says_what_was_loaded_and_what_was_not(tmp_path: Path) -> None:
    state = save_vit(tmp_path / "vit.pth")
    content = {
        "teacher": {f"backbone.{name.removeprefix('body.')}": tensor.half() for name, tensor in state.items()},
        "student": {f"backbone.{name.removeprefix('body.')}": tensor for name, tensor in state.items()},
        "optimizer": {"momentum": torch.zeros(3)},
    }
    content["teacher"] |= {"backbone.mask_token": torch.zeros(8), "head.weight": torch.zeros(3, 8)}
    torch.save(content, tmp_path / "weights.pth")
    report = ViT(1, 24, **SMALL_VIT, weights=str(tmp_path / "weights.pth")).loaded_weights
    assert report == sslreg.LoadedWeights(
        source=str(tmp_path / "weights.pth"),
        file=str(tmp_path / "weights.pth"),
        sha256=hash_file(tmp_path / "weights.pth"),
        layout="torchvision's names",
        prefix="teacher.backbone.",
        loaded=30,
        tensors=30,
        adapted={
            "encoder.pos_embedding": "resized from (1, 17, 8) to (1, 37, 8)",
            "conv_proj.weight": "3 to 1 channels",
            "all": "float16 to float32",
        },
        left_out={
            "teacher.backbone.mask_token": "used in pretraining only",
            "teacher.head.*": "outside of the network",
            "student.*": "outside of the network",
            "optimizer.*": "outside of the network",
        },
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_converted(dtype: torch.dtype, tmp_path: Path) -> None:
    state = save_vit(tmp_path / "vit.pth")
    torch.save({name: tensor.to(dtype) for name, tensor in state.items()}, tmp_path / "vit.pth")
    loaded = ViT(image_size=16, **SMALL_VIT, weights=str(tmp_path / "vit.pth")).state_dict()
    torch.testing.assert_close(loaded, {name: tensor.to(dtype).float() for name, tensor in state.items()})


def test_another_architecture_is_an_error(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"another architecture: .*resnet18\.pth has no tensor of this backbone, such as"
    ):
        ViT(image_size=16, **SMALL_VIT, weights=str(saved))
    save_vit(tmp_path / "vit.pth")
    with pytest.raises(
        ValueError, match=r"no tensor of this backbone, such as conv1\.weight; it has body\.class_token"
    ):
        build("resnet18", weights=str(tmp_path / "vit.pth"))


def test_a_checkpoint_of_an_optimizer_is_an_error(tmp_path: Path) -> None:
    torch.save({"optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}}}, tmp_path / "optimizer.pth")
    with pytest.raises(ValueError, match=r"has no tensor of this backbone, .*; it has optimizer\.state\.0\.exp_avg"):
        build("resnet18", weights=str(tmp_path / "optimizer.pth"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"depth": 1}, r"another architecture: without encoder\.layers\.encoder_layer_1\..* and 9 more$"),
        ({"depth": 3}, r"another architecture: with encoder\.layers\.encoder_layer_2\..* and 9 more$"),
        ({"width": 12}, r"another shape: class_token is \(1, 1, 12\) in the file and \(1, 1, 8\) in this model"),
        ({"patch_size": 8}, r"another shape: conv_proj\.weight is \(8, 3, 8, 8\) .* such as its patch size or stem"),
    ],
)
def test_weights_of_other_sizes_are_an_error(changes: dict[str, int], message: str, tmp_path: Path) -> None:
    save_vit(tmp_path / "vit.pth", **changes)
    with pytest.raises(ValueError, match=message):
        ViT(image_size=16, **SMALL_VIT, weights=str(tmp_path / "vit.pth"))


@pytest.mark.parametrize("missing", ["body.class_token", "body.encoder.ln.bias", "body.conv_proj.bias"])
def test_a_missing_tensor_is_an_error(missing: str, tmp_path: Path) -> None:
    state = save_vit(tmp_path / "vit.pth")
    del state[missing]
    torch.save(state, tmp_path / "vit.pth")
    with pytest.raises(ValueError, match=f"another architecture: without {missing.removeprefix('body.')}$"):
        ViT(image_size=16, **SMALL_VIT, weights=str(tmp_path / "vit.pth"))


def test_an_unknown_tensor_that_changes_features_is_an_error(tmp_path: Path) -> None:
    torch.save(save_vit(tmp_path / "vit.pth") | {"body.norm_pre.weight": torch.ones(8)}, tmp_path / "vit.pth")
    with pytest.raises(ValueError, match=r"another architecture: with norm_pre\.weight"):
        ViT(image_size=16, **SMALL_VIT, weights=str(tmp_path / "vit.pth"))


def test_fixed_positions_are_computed_for_the_new_size(tmp_path: Path) -> None:
    save_vit(tmp_path / "vit.pth", positions="sine_cosine")
    larger = ViT(image_size=24, **SMALL_VIT, positions="sine_cosine", weights=str(tmp_path / "vit.pth"))
    expected = ViT(image_size=24, **SMALL_VIT, positions="sine_cosine").body.encoder.pos_embedding
    torch.testing.assert_close(larger.body.encoder.pos_embedding, expected)
    save_vit(tmp_path / "vit.pth")
    with pytest.raises(ValueError, match="are not the fixed ones of positions: sine_cosine; use positions: learned"):
        ViT(image_size=24, **SMALL_VIT, positions="sine_cosine", weights=str(tmp_path / "vit.pth"))


def test_a_gray_convnet_continues_from_a_colored_one(tmp_path: Path) -> None:
    three = ConvNet(3, width=4, depth=3).eval()
    torch.save(three.state_dict(), tmp_path / "convnet.pth")
    one = ConvNet(1, width=4, depth=3, weights=str(tmp_path / "convnet.pth")).eval()
    gray = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(one(gray), three(gray.expand(-1, 3, -1, -1)))
