"""Exported backbones: other programs load them, and they give the same features."""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import sslreg
from sslreg import PlainModule, Run, SslregError, UserError
from sslreg.export.backbone import export_backbone
from sslreg.export.backbone_formats import Format
from sslreg.export.backbone_writers import write_backbone
from sslreg.spec import parse_spec
from sslreg.spec.yaml_dump import load_yaml
from sslreg.testing.temporary_components import temporary_components
from sslreg.testing.tiny_components import TinyModel

SPEC = """
version: 1
name: photos
data: {{train: {{use: image_folder, root: {root}}}, batch_size: 8}}
views:
  - repeat: 2
    augment: [{{use: random_resized_crop, size: 32}}, {{use: normalize, stats: imagenet}}]
model: {{use: simclr, backbone: {backbone}, projection: [16]}}
loss: {{use: nt_xent}}
optimizer: {{use: sgd, lr: 0.1}}
trainer: {{max_steps: 2, max_epochs: 2, accelerator: cpu}}
"""


def trained(photos: Path, backbone: str, out: Path) -> Run:
    return sslreg.train(parse_spec(SPEC.format(root=photos, backbone=backbone), "photos.yaml"), out)


@pytest.fixture(scope="module")
def resnet(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """torchvision's ResNet-18, after two steps."""
    return trained(photos, "{use: resnet18}", tmp_path_factory.mktemp("exported") / "resnet")


def features_of(run: Run, photos: Path) -> tuple[list[Path], Tensor, Tensor]:
    """Some images, as the run preprocesses them, and the features that it gives them."""
    paths = [photos / "rgb.jpg", photos / "trip" / "photo.bmp"]
    preprocess = run.preprocess()
    return paths, torch.stack([preprocess(path) for path in paths]), run.embed(paths)


def test_plain_torchvision_loads_the_weights_and_gives_the_same_features(
    resnet: Run, photos: Path, tmp_path: Path
) -> None:
    export_backbone(resnet, Format.safetensors, tmp_path / "resnet.safetensors")
    model = torchvision.models.resnet18()
    missing, unexpected = model.load_state_dict(load_file(tmp_path / "resnet.safetensors"), strict=False)
    assert (sorted(missing), unexpected) == (["fc.bias", "fc.weight"], [])
    model.fc = torch.nn.Identity()
    _, images, expected = features_of(resnet, photos)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(images), expected, rtol=0, atol=1e-5)


def test_plain_timm_loads_the_weights_and_gives_the_same_features(photos: Path, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    run = trained(photos, "{use: timm, name: test_resnet}", tmp_path / "run")
    export_backbone(run, Format.safetensors, tmp_path / "timm.safetensors")
    model = timm.create_model("test_resnet", num_classes=0)
    model.load_state_dict(load_file(tmp_path / "timm.safetensors"))
    _, images, expected = features_of(run, photos)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(images), expected, rtol=0, atol=1e-5)


class WithSmallStem(Run):
    """A run with the backbone of the CIFAR recipes."""

    def model(self) -> sslreg.Model:
        model = super().model()
        model.backbone = sslreg.build("backbone", "resnet18", stem="small", in_channels=1)
        return model.eval()


def test_a_changed_stem_is_built_by_the_cards_code(tiny_run: Run, tmp_path: Path) -> None:
    export_backbone(WithSmallStem(tiny_run.path), Format.safetensors, tmp_path / "b.safetensors")
    card = json.loads((tmp_path / "b.safetensors.json").read_text())
    assert 'set_submodule("conv1", torch.nn.Conv2d(1, 64, kernel_size=(3, 3)' in card["use"]
    assert 'set_submodule("maxpool", torch.nn.Identity())' in card["use"]
    assert card["output"]["shape"] == ["N", 512]


def card_of(name: str) -> list[str]:
    """The files of an export: what is exported, and its card."""
    return [name, f"{name}.json", f"{name}.md"]


FILES = {Format.safetensors: "b.safetensors", Format.torch_export: "b.pt2", Format.onnx: "b.onnx"}


@pytest.mark.parametrize("form", FILES)
def test_the_lines_of_the_card_run_and_give_the_features(
    tiny_run: Run, tmp_path: Path, form: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form is Format.onnx:
        for name in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(name)
    exported = export_backbone(tiny_run, form, tmp_path / FILES[form])
    assert exported.files == tuple(tmp_path / name for name in card_of(FILES[form]))
    assert {path.name for path in tmp_path.iterdir()} == set(card_of(FILES[form]))
    assert str(Path(sslreg.__file__).parent).encode() not in (tmp_path / FILES[form]).read_bytes()
    markdown = (tmp_path / f"{FILES[form]}.md").read_text()
    use, preprocessing = re.findall(r"^```python\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(preprocessing, names)
    samples = tiny_run.split("test")
    pixels = [np.asarray(samples[row].image) for row in range(5)]
    names["images"] = torch.stack([names["preprocess"](Image.fromarray(image[0])) for image in pixels])
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(use, names)
    features = torch.as_tensor(names["features"]).detach()
    torch.testing.assert_close(features, tiny_run.embed(pixels), rtol=0, atol=0.02)  # a level of 255 at the input


@pytest.mark.parametrize("form", [Format.torch_export, Format.onnx])
def test_patches_are_exported_on_request(patch_run: Run, tmp_path: Path, form: Format) -> None:
    if form is Format.onnx:
        for name in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(name)
    export_backbone(patch_run, form, tmp_path / FILES[form], patches=True)
    card = json.loads((tmp_path / f"{FILES[form]}.json").read_text())
    assert (card["output"]["shape"], card["patches"]["shape"]) == (["N", 16], ["N", 4, 4, 16])
    assert card["check"]["patches"]["largest_difference"] <= card["check"]["patches"]["allowed"]
    assert "16 features of each of their 4 × 4 patches" in (tmp_path / f"{FILES[form]}.md").read_text()
    images = [patch_run.split("test")[row].image for row in range(3)]
    names: dict[str, Any] = {"images": torch.stack([patch_run.preprocess()(image) for image in images])}
    with warnings.catch_warnings(), contextlib.chdir(tmp_path):
        warnings.simplefilter("ignore")
        exec(card["use"], names)
    if form is Format.torch_export:
        graph = torch.export.load(tmp_path / FILES[form]).graph
        operations = [str(node.target) for node in graph.nodes if node.op == "call_function"]
        assert operations.count("aten.scaled_dot_product_attention.default") == 1  # that of the only block
    patches = torch.as_tensor(names["patches"]).detach()
    torch.testing.assert_close(patches, patch_run.patches(images), rtol=0, atol=1e-4)
    torch.testing.assert_close(torch.as_tensor(names["features"]).detach(), patch_run.embed(images), rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "parameters"),
    [("test_vit", 32, {"registers": 2}), ("eva02_tiny_patch14_224", 28, {})],
    ids=["registers", "RoPE"],
)
def test_timms_transformers_become_onnx_graphs_with_patches(
    tmp_path: Path, name: str, size: int, parameters: dict[str, Any]
) -> None:
    for package in ("timm", "onnx", "onnxscript"):
        pytest.importorskip(package)
    onnxruntime = pytest.importorskip("onnxruntime")
    backbone = sslreg.build("backbone", "timm", name=name, image_size=size, **parameters).eval()
    backbone.body.blocks = backbone.body.blocks[:1]
    images = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(0))
    write_backbone(Format.onnx, backbone, images, tmp_path / "b.onnx", patches=True)
    session = onnxruntime.InferenceSession(tmp_path / "b.onnx")
    for count in (1, 3):
        features, patches = session.run(["features", "patches"], {"images": images[:count].numpy()})
        with torch.no_grad():
            expected = backbone(images[:count]), backbone.patches(images[:count])
        torch.testing.assert_close(torch.from_numpy(features), expected[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(torch.from_numpy(patches), expected[1], rtol=0, atol=1e-5)


class OtherPatches(Run):
    """A run whose backbone gives other patches when it is exported than otherwise."""

    def model(self) -> sslreg.Model:
        model = super().model()
        tokens = model.backbone.tokens

        def scale_when_exported(images: Tensor) -> tuple[Tensor, Tensor]:
            prefix, patches = tokens(images)
            return prefix, patches * (1.01 if torch.compiler.is_exporting() else 1)

        model.backbone.tokens = scale_when_exported
        return model


def test_other_patches_are_not_written(patch_run: Run, tmp_path: Path) -> None:
    with pytest.raises(SslregError, match="its patches differ from the backbone's"):
        export_backbone(OtherPatches(patch_run.path), Format.torch_export, tmp_path / "b.pt2", patches=True)
    assert not list(tmp_path.iterdir())


def test_patches_of_safetensors_and_of_other_backbones_are_refused(
    patch_run: Run, tiny_run: Run, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="a safetensors file has weights but no outputs"):
        export_backbone(patch_run, Format.safetensors, tmp_path / "b.safetensors", patches=True)
    with pytest.raises(UserError, match="ConvNet, the backbone of this run, has no patches"):
        export_backbone(tiny_run, Format.torch_export, tmp_path / "b.pt2", patches=True)
    assert not list(tmp_path.iterdir())


def test_the_cards_preprocessing_is_torchvisions_to_a_level(resnet: Run, photos: Path, tmp_path: Path) -> None:
    export_backbone(resnet, Format.safetensors, tmp_path / "b.safetensors")
    names: dict[str, Any] = {}
    exec(json.loads((tmp_path / "b.safetensors.json").read_text())["preprocessing"]["torchvision"], names)
    paths, images, _ = features_of(resnet, photos)
    theirs = torch.stack([names["preprocess"](Image.open(path)) for path in paths])
    levels = (theirs - images).abs() * torch.tensor([0.229, 0.224, 0.225])[:, None, None] * 255
    assert levels.max() < 1.01


def test_the_card_carries_what_is_known_of_the_backbone(tiny_run: Run, tmp_path: Path) -> None:
    trained = {"retrieval_map": 0.5, "retrieval_map_ci": 0.125, "invariance_blur": 0.5, "invariance_blur_s25": 0.25}
    evaluations = {"trained": trained, "untrained": {"retrieval_map": 0.25}}
    told = tiny_run.path / "evaluations.json"
    before = told.read_text() if told.exists() else None
    told.write_text(json.dumps(evaluations))
    try:
        export_backbone(tiny_run, Format.safetensors, tmp_path / "b.safetensors")
    finally:
        told.unlink()
        if before is not None:
            told.write_text(before)
    card = json.loads((tmp_path / "b.safetensors.json").read_text())
    assert card["input"]["shape"] == ["N", 1, 8, 8]
    assert (card["input"]["mean"], card["input"]["std"]) == ([0.5], [0.5])
    assert card["output"]["shape"] == ["N", 32]
    assert card["preprocessing"]["steps"][-1] == {"use": "normalize", "mean": [0.5], "std": [0.5]}
    assert card["spec"] == tiny_run.spec.to_dict()
    assert card["lock"] == tiny_run.lock
    assert card["summary"]["final"] == tiny_run.summary["final"]
    assert card["evaluations"] == evaluations
    assert card["check"]["largest_difference"] <= card["check"]["allowed"]
    markdown = (tmp_path / "b.safetensors.md").read_text()
    assert "| retrieval_map | 0.500 ± 0.125 | 0.250 |  |" in markdown
    assert "| invariance_blur | 0.500 |" in markdown
    assert "invariance_blur_s25" not in markdown  # the JSON has it
    assert 'of the test set (digits, split "test") its features differ' in markdown
    (spec,) = re.findall(r"^```yaml\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL)
    assert load_yaml(spec) == tiny_run.spec.to_dict()


class Otherwise(Run):
    """A run whose backbone says that it is another module than it is."""

    code = ""

    def model(self) -> sslreg.Model:
        model = super().model()
        model.backbone.plain = lambda: PlainModule("torch", model.backbone, self.code)  # type: ignore[method-assign]
        return model


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("model = 1", "cannot be used: AttributeError"),
        (
            "import sslreg\nmodel = sslreg.build('backbone', 'convnet', in_channels=1, width=8, depth=3)\n"
            "model.register_forward_hook(lambda module, images, features: 1.01 * features)",
            "its features differ",
        ),
    ],
)
def test_what_gives_other_features_is_not_written(tiny_run: Run, tmp_path: Path, code: str, message: str) -> None:
    run = Otherwise(tiny_run.path)
    run.code = code
    with pytest.raises(SslregError, match=message):
        export_backbone(run, Format.safetensors, tmp_path / "b.safetensors")
    assert not list(tmp_path.iterdir())


def test_what_torch_cannot_export_is_said(tiny_run: Run, tmp_path: Path) -> None:
    class Deciding(Run):
        def model(self) -> sslreg.Model:
            model = super().model()
            model.backbone.forward = lambda images: images.flatten(1) + (1 if images.sum().item() > 0 else 2)
            return model

    with pytest.raises(SslregError, match=r"ConvNet cannot be written as torch_export"):
        export_backbone(Deciding(tiny_run.path), Format.torch_export, tmp_path / "b.pt2")
    assert not list(tmp_path.iterdir())


class WithTeacher(TinyModel):
    """A model with a second backbone.

    Args:
        teacher: a backbone that is not used after training.
        student: the backbone, or the original of it.
        copies: whether the model uses a momentum copy of the student after training.
        doubles: whether the features for evaluation are twice those of the backbone.
    """

    def __init__(
        self, teacher: sslreg.Backbone, student: sslreg.Backbone, copies: bool = False, doubles: bool = False
    ) -> None:
        super().__init__(sslreg.momentum_copy(student) if copies else student)
        self.student = student
        self.teacher = teacher.requires_grad_(False)
        self.doubles = doubles

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        return sslreg.StepOutput(loss(*(self.student(view) for view in batch.views)))

    def after_step(self) -> None:
        if self.backbone is not self.student:
            sslreg.follow(self.backbone, self.student, 0.5)

    def embed(self, images: Tensor) -> Tensor:
        return super().embed(images) * (2 if self.doubles else 1)


TEACHER = "model={use: with_teacher, teacher: {use: convnet, width: 4}, student: {use: convnet, width: 2, depth: 2}}"


@pytest.mark.parametrize("copies", ["true", "false"])
def test_the_backbone_that_was_evaluated_is_exported(tiny_spec: str, tmp_path: Path, copies: str) -> None:
    changes = [TEACHER, f"model.copies={copies}", "trainer.max_steps=1", "evaluate=[]"]
    with temporary_components(model={"with_teacher": WithTeacher}):
        run = sslreg.train(parse_spec(tiny_spec, "tiny.yaml", changes), tmp_path / "run")
        export_backbone(run, Format.safetensors, tmp_path / "b.safetensors")
    card = json.loads((tmp_path / "b.safetensors.json").read_text())
    assert "sslreg.build('backbone', 'convnet', in_channels=1, width=2, depth=2)" in card["use"]
    assert card["backbone"] == {"use": "convnet", "width": 2, "depth": 2}
    assert card["output"]["shape"] == ["N", 4]


def test_a_method_that_embeds_otherwise_than_by_its_backbone_is_refused(tiny_spec: str, tmp_path: Path) -> None:
    changes = [TEACHER, "model.doubles=true", "trainer.max_steps=1", "evaluate=[]"]
    with temporary_components(model={"with_teacher": WithTeacher}):
        run = sslreg.train(parse_spec(tiny_spec, "tiny.yaml", changes), tmp_path / "run")
        with pytest.raises(
            SslregError, match=r"features of WithTeacher\.embed, but the features of its backbone differ"
        ):
            export_backbone(run, Format.safetensors, tmp_path / "b.safetensors")
    assert not list(tmp_path.glob("b.*"))


@pytest.mark.parametrize("name", ["b.safetensors", "b.safetensors.json", "b.safetensors.md"])
def test_a_file_that_is_there_is_replaced_by_force_alone(tiny_run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        export_backbone(tiny_run, Format.safetensors, tmp_path / "b.safetensors")
    assert (tmp_path / name).read_text() == "mine"
    export_backbone(tiny_run, Format.safetensors, tmp_path / "b.safetensors", force=True)
    assert (tmp_path / name).read_bytes() != b"mine"


def test_other_images_can_be_compared_on(tiny_run: Run, photos: Path, tmp_path: Path) -> None:
    export_backbone(tiny_run, Format.safetensors, tmp_path / "b.safetensors", data=str(photos))
    assert json.loads((tmp_path / "b.safetensors.json").read_text())["check"]["data"]["root"] == str(photos)
