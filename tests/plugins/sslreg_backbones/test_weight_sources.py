"""Files, folders of runs, and names."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import sslreg
from sslreg import Run
from sslreg.export.backbone import export_backbone
from sslreg.export.backbone_formats import Format
from sslreg.spec import parse_spec
from sslreg_backbones.convnet import ConvNet
from sslreg_backbones.vit import ViT
from sslreg_backbones.weight_sources import open_weights

#: The parameters of the backbone of `tiny_run`.
TINY: dict[str, Any] = {"in_channels": 1, "width": 8, "depth": 3}


def require_same_features(backbone: sslreg.Backbone, run: Run) -> None:
    images = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(backbone.eval()(images), run.backbone()(images))


@pytest.mark.parametrize("file", [".", "checkpoints/last.ckpt"])
def test_a_run_and_its_checkpoint_are_starts(tiny_run: Run, file: str) -> None:
    backbone = ConvNet(**TINY, weights=str(tiny_run.path / file))
    require_same_features(backbone, tiny_run)
    report = backbone.loaded_weights
    assert report is not None
    assert report.file == str(tiny_run.path / "checkpoints/last.ckpt")
    assert report.loaded == report.tensors == len([name for name in backbone.state_dict() if "num_batches" not in name])


@pytest.mark.parametrize("file", [".", "checkpoints/last.ckpt"])
def test_patches_and_sizes_of_a_run_are_adapted(patch_run: Run, file: str) -> None:
    weights = str(patch_run.path / file)
    require_same_features(ViT(1, 8, patch_size=2, width=16, depth=1, heads=2, weights=weights), patch_run)
    larger = ViT(3, 16, patch_size=2, width=16, depth=1, heads=2, weights=weights)
    assert larger.loaded_weights is not None
    assert larger.loaded_weights.adapted == {
        "encoder.pos_embedding": "resized from (1, 17, 16) to (1, 65, 16)",
        "conv_proj.weight": "1 to 3 channels",
    }


@pytest.mark.parametrize(
    ("model", "loss"), [("{use: moco, projection: [16]}", "nt_xent"), ("{use: dino, out_dim: 16}", "dino")]
)
def test_the_network_that_is_used_after_training_is_a_start(
    tiny_spec: str, model: str, loss: str, tmp_path: Path
) -> None:
    overrides = [f"model={model}", f"loss={{use: {loss}}}", "engine.ema=0.5", "trainer.max_steps=1", "evaluate=[]"]
    vit = {"patch_size": 4, "width": 16, "depth": 1, "heads": 2}
    overrides.append(f"model.backbone={{use: vit, {', '.join(f'{key}: {value}' for key, value in vit.items())}}}")
    run = sslreg.train(parse_spec(tiny_spec, "momentum.yaml", overrides), tmp_path / "run")
    for path in (run.path, run.checkpoint_path):
        require_same_features(ViT(1, 8, **vit, weights=str(path)), run)


def test_a_folder_of_the_hub_is_a_start(tiny_run: Run, tmp_path: Path) -> None:
    state = {name: tensor.contiguous() for name, tensor in tiny_run.backbone().state_dict().items()}
    save_file(state, tmp_path / "model.safetensors")
    require_same_features(ConvNet(**TINY, weights=str(tmp_path)), tiny_run)


def test_a_run_starts_from_another_and_reports_it(
    tiny_run: Run, tiny_spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = shutil.copytree(tiny_run.path, tmp_path / "source")
    overrides = [f"model.backbone.weights={source}", "trainer.max_steps=1", "evaluate=[]"]
    run = sslreg.train(parse_spec(tiny_spec, "continued.yaml", overrides), tmp_path / "run")
    printed = " ".join(capsys.readouterr().err.split())
    assert "model.backbone: 15 of 15 tensors loaded from" in printed
    report = run.lock["weights"]["model.backbone"]
    assert report["source"] == str(source)
    assert (report["loaded"], report["tensors"], report["missing"]) == (15, 15, {})
    export_backbone(run, Format.safetensors, tmp_path / "exported.safetensors")
    card = (tmp_path / "exported.safetensors.md").read_text()
    assert "Weights of `model.backbone`: 15 of 15 tensors loaded from" in card
    shutil.rmtree(source)
    assert run.backbone()(torch.rand(2, 1, 8, 8)).shape == (2, 32)
    with pytest.raises(sslreg.UserError, match=r"the weights from which .* started cannot be loaded"):
        run.starting_model()


def test_check_reads_no_weights(tiny_spec: str) -> None:
    from sslreg.assembly import try_spec

    assert try_spec(parse_spec(tiny_spec, "absent.yaml", ["model.backbone.weights=absent.pth"])) == ()


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is no folder with weights: .* is not the folder of a run"):
        open_weights(str(tmp_path), "timm", [])


def test_a_run_without_a_checkpoint_is_refused(tiny_run: Run, tmp_path: Path) -> None:
    for file in ("spec.resolved.yaml", "lock.json"):
        shutil.copy(tiny_run.path / file, tmp_path)
    with pytest.raises(ValueError, match=r"is no folder with weights: .* has no checkpoint"):
        open_weights(str(tmp_path), "timm", [])


@pytest.mark.parametrize("weights", ["absent.pth", "no/such/file", "IMAGENET1K_V1", ""])
def test_what_is_neither_a_file_nor_a_name_is_refused(weights: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"neither a file nor a folder|is no folder with weights"):
        open_weights(weights, "timm", ["pretrained"])


def test_a_missing_file_is_reported_at_its_place_in_the_spec(tiny_spec: str, tmp_path: Path) -> None:
    spec = parse_spec(tiny_spec, "absent.yaml", ["model.backbone.weights=absent.pth"])
    with pytest.raises(sslreg.UserError, match=r"convnet: weights: 'absent\.pth' is neither a file"):
        sslreg.train(spec, tmp_path / "run")
    assert not (tmp_path / "run").exists()
