"""Components are built from parameters, nested components and facts of the run."""

from __future__ import annotations

from typing import Annotated

import pytest
import torch

import sslreg
from sslreg import FromRun, UserError
from sslreg.assembly import Builder, find_loaded_weights
from sslreg.spec import Spec, parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.views import WithProbability


class WithFacts(sslreg.Loss):
    def __init__(
        self,
        dim: Annotated[int, FromRun("embedding_dim")],
        classes: Annotated[int | None, FromRun("num_classes")] = None,
        memory_bank: sslreg.MemoryBank | None = None,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        if scale < 0:
            raise ValueError(f"scale is {scale}, and a scale is not negative")
        self.got = {"dim": dim, "classes": classes, "memory_bank": memory_bank, "scale": scale}


class NeedsPatches(sslreg.Model):
    def __init__(self, backbone: sslreg.PatchBackbone) -> None:
        super().__init__()


def double(image: torch.Tensor) -> torch.Tensor:
    return (2 * image).clamp(max=1)


def make_double():
    return double


@pytest.fixture
def spec(tiny_spec: str):
    """Parses the tiny spec with overrides that may use the components above."""

    def parse(*overrides: str) -> Spec:
        return parse_spec(tiny_spec, "tiny.yaml", overrides)

    with temporary_components(
        loss={"with_facts": WithFacts}, augmentation={"double": make_double}, model={"needs_patches": NeedsPatches}
    ):
        yield parse


def test_facts_of_the_run_are_filled_in(spec) -> None:
    builder = Builder(spec("loss={use: with_facts, scale: 2}"), {"embedding_dim": 16, "num_classes": 10})
    assert builder.build(builder.spec.loss).got == {"dim": 16, "classes": 10, "memory_bank": None, "scale": 2}


def test_the_default_replaces_an_unknown_fact(spec) -> None:
    builder = Builder(spec("loss={use: with_facts}"), {"embedding_dim": 16})
    assert builder.build(builder.spec.loss).got["classes"] is None


def test_a_missing_fact_is_reported(spec) -> None:
    builder = Builder(spec("loss={use: with_facts}"))
    with pytest.raises(UserError, match=r"with_facts needs embedding_dim \(width of the embeddings") as caught:
        builder.build(builder.spec.loss)
    assert caught.value.diagnostics[0].file == "--set"


def test_nested_components_are_built(spec) -> None:
    builder = Builder(spec("loss={use: with_facts, memory_bank: {use: fifo, size: 32}}"), {"embedding_dim": 16})
    bank = builder.build(builder.spec.loss).got["memory_bank"]
    bank.enqueue(torch.ones(2, 16))
    bank.commit()
    assert bank.negatives().shape == (2, 16)


def test_an_error_of_a_constructor_has_its_location(spec) -> None:
    builder = Builder(spec("loss={use: with_facts, scale: -1}"), {"embedding_dim": 16})
    with pytest.raises(UserError, match="a scale is not negative") as caught:
        builder.build(builder.spec.loss)
    assert (caught.value.diagnostics[0].file, caught.value.diagnostics[0].column) == ("--set", 6)


def test_an_augmentation_is_applied_with_its_probability(spec) -> None:
    builder = Builder(spec("views.0.augment=[{use: double, p: 0.25}, {use: double}]"))
    sometimes, always = (builder.build(component) for component in builder.spec.views[0].augment)
    assert isinstance(sometimes, WithProbability)
    assert sometimes.p == 0.25
    assert not isinstance(always, WithProbability)


def test_a_function_can_be_an_augmentation(spec) -> None:
    collate = sslreg.build_collate(spec("views=[{repeat: 2, augment: [{use: double}]}]"))
    gray = torch.full((1, 8, 8), 51, dtype=torch.uint8)
    assert torch.allclose(collate([sslreg.Sample(gray, index=0, epoch=0)]).views[0], torch.tensor(0.4))


def test_a_component_can_be_built_without_a_spec() -> None:
    loss = sslreg.build("loss", "nt_xent", temperature=0.1)
    assert loss(torch.eye(4), torch.eye(4)).ndim == 0


def test_building_without_a_spec_takes_objects_and_mappings_for_slots() -> None:
    backbone = sslreg.build("backbone", "convnet", in_channels=1, width=8)
    model = sslreg.build("model", "simclr", backbone=backbone, projection=[16])
    bank = {"use": "fifo", "size": 8, "dim": model.embedding_dim}
    assert len(list(sslreg.build("loss", "nt_xent", memory_bank=bank).children())) >= 1


@pytest.mark.parametrize(
    ("params", "message"),
    [({"temperature": -1}, "temperature"), ({"temprature": 1}, "temprature")],
)
def test_building_without_a_spec_reports_mistakes(params: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        sslreg.build("loss", "nt_xent", **params)


@pytest.mark.parametrize(
    ("kind", "name", "params", "message"),
    [
        ("optimizer", "lars", {"params": [], "lr": -1}, "lr is -1; it should be greater than 0"),
        ("evaluator", "knn", {"k": 0}, "k is 0; it should be at least 1"),
        ("model", "moco", {"backbone": {"use": "convnet"}, "momentum": 2}, "momentum is 2; it should be less than 1"),
        ("model", "moco", {"backbone": {"use": "convnet", "width": 0}}, "width is 0; it should be greater than 0"),
        (
            "schedule",
            "cosine",
            {"optimizer": None, "total_steps": 1, "steps_per_epoch": 1, "warmup_epochs": -1},
            "warmup_epochs is -1; it should be at least 0",
        ),
        ("loss", "nt_xent", {"negatives": "none"}, "it should be 'batch', 'bank' or 'both'"),
        ("loss", "nt_xent", {"temperature": float("nan")}, "it should be finite"),
        ("evaluator", "few_shot", {"shots": []}, r"at least 1 item"),
        ("memory_bank", "fifo", {"size": 0}, "size is 0; it should be at least 1"),
    ],
)
def test_the_bounds_of_a_spec_hold_without_a_spec(kind: str, name: str, params: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        sslreg.build(kind, name, **params)


class Pretrained(sslreg.Backbone):
    """A backbone that reports weights."""

    def __init__(self) -> None:
        super().__init__()
        self.num_features = 1
        self.loaded_weights = sslreg.LoadedWeights("name", "file", "0" * 64, "timm", "", loaded=0, tensors=0)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(1, 2, 3)).unsqueeze(1)


class WithTeacher(sslreg.Model):
    def __init__(self, backbone: sslreg.Backbone, teacher: sslreg.Backbone) -> None:
        super().__init__()
        self.backbone, self.teacher, self.embedding_dim = backbone, sslreg.frozen(teacher), 1
        self.momentum_backbone = sslreg.momentum_copy(backbone)

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("backbone", "paths"), [("pretrained", ["model.backbone", "model.teacher"]), ("convnet", ["model.teacher"])]
)
def test_loaded_weights_are_found_by_paths_in_the_spec(spec, backbone: str, paths: list[str]) -> None:
    with temporary_components(backbone={"pretrained": Pretrained}, model={"with_teacher": WithTeacher}):
        override = f"model={{use: with_teacher, backbone: {{use: {backbone}}}, teacher: {{use: pretrained}}}}"
        builder = Builder(spec(override), {"in_channels": 3})
        assert list(find_loaded_weights(builder.spec, {"model": builder.build(builder.spec.model)})) == paths


def test_a_slot_of_a_narrower_contract_refuses_other_components_at_their_place(spec) -> None:
    builder = Builder(spec("model={use: needs_patches, backbone: {use: convnet}}"), {"in_channels": 3})
    with pytest.raises(UserError, match=r"ConvNet is no sslreg.PatchBackbone; use a backbone that is one") as caught:
        builder.build(builder.spec.model)
    assert (caught.value.diagnostics[0].file, caught.value.diagnostics[0].column) == ("--set", 38)


def test_build_refuses_a_component_that_does_not_fit_a_narrower_slot(spec) -> None:
    with pytest.raises(UserError, match=r"ConvNet is no sslreg.PatchBackbone"):
        sslreg.build("model", "needs_patches", backbone={"use": "convnet"})


@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [("dataset", "digits", "subset"), ("evaluator", "knn", "every"), ("optimizer", "sgd", "layer_decay")],
)
def test_keys_that_only_runs_read_are_refused(kind: str, name: str, key: str) -> None:
    with pytest.raises(sslreg.UserError, match=f"cannot be built with '{key}'"):
        sslreg.build(kind, name, **{key: 3})
