import sys
from pathlib import Path

import pytest
import torch

import sslreg

pytest.importorskip("timm", reason="timm is an extra")

import timm

from sslreg_backbones import timm_models
from sslreg_backbones.timm_models import build_timm_model


@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenetv3_small_050", "efficientvit_b0", "convnext_atto", "vit_tiny_patch16_224"]
)
def test_features_are_as_wide_as_promised(name: str) -> None:
    with torch.device("meta"):
        backbone = build_timm_model(name, in_channels=5, image_size=64)
    features = backbone(torch.empty(2, 5, 64, 64, device="meta"))
    assert features.shape == (2, backbone.num_features)


def test_features_are_what_timms_classifier_is_given(tmp_path: Path) -> None:
    theirs = timm.create_model("resnet18").eval()
    torch.save(theirs.state_dict(), tmp_path / "resnet18.pth")
    ours = build_timm_model("resnet18", weights=str(tmp_path / "resnet18.pth")).eval()
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(theirs.fc(ours(images)), theirs(images))


def test_a_gray_image_gets_the_response_of_its_colored_copy(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "resnet18.pth")
    one, three = (
        build_timm_model("resnet18", channels, weights=str(tmp_path / "resnet18.pth")).eval() for channels in (1, 3)
    )
    gray = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(one(gray), three(gray.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-5)


def test_a_spec_names_the_model() -> None:
    model = sslreg.build("model", "simclr", backbone={"use": "timm", "name": "resnet18"})
    assert model.backbone.num_features == 512


@pytest.mark.parametrize("name", ["resnet_eighteen", "resnet18.no_such_tag"])
def test_a_model_that_timm_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"timm cannot build '{name}'"):
        build_timm_model(name)


def test_weights_that_are_no_file_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"'here\.pth' is neither a file .* one of timm's weights for the model: pretrained"
    ):
        build_timm_model("resnet18", weights="here.pth")


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"pip install 'sslreg\[timm\]'"):
        build_timm_model("resnet18")


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224"])
def test_timm_itself_builds_the_backbone_by_the_code_that_it_gives(name: str) -> None:
    backbone = build_timm_model(name, in_channels=1, image_size=64).eval()
    plain, names = backbone.plain(), {}
    exec(plain.code, names)
    names["model"].load_state_dict(plain.module.state_dict())
    images = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(names["model"].eval()(images), backbone(images), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["test_resnet", "swin_tiny_patch4_window7_224"])
def test_patches_are_the_last_feature_map(name: str) -> None:
    backbone, images = build_timm_model(name).eval(), torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        patches = backbone.patches(images)
        assert patches.shape == (1, 7, 7, backbone.num_features)
        torch.testing.assert_close(patches.mean(dim=(1, 2)), backbone(images))


def test_a_model_whose_head_follows_the_pooling_has_no_feature_map_of_its_width() -> None:
    with torch.device("meta"):
        backbone = build_timm_model("mobilenetv3_small_050")
    with pytest.raises(
        ValueError, match="timm's mobilenetv3_small_050 has no feature map of 1024 channels before its pooling"
    ):
        backbone.patches(torch.empty(1, 3, 64, 64, device="meta"))


@pytest.mark.parametrize(
    ("name", "weights", "file"),
    [
        ("resnet10t", "pretrained", "resnet10t"),
        ("resnet10t.c3_in1k", "pretrained", "resnet10t.c3_in1k"),
        ("resnet10t", "c3_in1k", "resnet10t.c3_in1k"),
    ],
)
def test_names_of_weights_are_timms(
    name: str, weights: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = timm.create_model("resnet10t").eval()
    torch.save(theirs.state_dict(), tmp_path / file)
    monkeypatch.setattr(timm_models, "download_timm_weights", tmp_path.joinpath)
    ours = build_timm_model(name, weights=weights).eval()
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(theirs.fc(ours(images)), theirs(images))
    assert ours.loaded_weights is not None
    assert (ours.loaded_weights.source, ours.loaded_weights.file) == (weights, str(tmp_path / file))
