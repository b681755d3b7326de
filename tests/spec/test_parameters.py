"""The parameters of a component are read from its constructor."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import acme_parts
import pytest
from pydantic import Field, PositiveInt

import sslreg
from sslreg.errors import UserError
from sslreg.registry import ComponentInfo
from sslreg.spec.parameters import REQUIRED, Slot, kind_keys, parameters_of, section_keys
from sslreg.spec.sections import DataSpec, Sections


@pytest.fixture
def of(monkeypatch):
    """The parameters of a loss whose constructor is the given function."""

    def read(constructor, kind="loss"):
        monkeypatch.setattr(acme_parts, "example", constructor, raising=False)
        parameters_of.cache_clear()
        return parameters_of(ComponentInfo(kind, "example", "acme_parts:example"))

    yield read
    parameters_of.cache_clear()


def test_names_types_and_defaults_come_from_the_signature(of):
    def loss(a: int, b: Annotated[float, Field(gt=0)] = 0.5, *, c: str | None = None): ...

    found = of(loss)

    assert list(found) == ["a", "b", "c"]
    assert (found["a"].annotation, found["a"].default, found["a"].required) == (int, REQUIRED, True)
    assert found["b"].adapter.json_schema() == {"type": "number", "exclusiveMinimum": 0}
    assert (found["b"].default, found["b"].required) == (0.5, False)
    assert found["c"].annotation == str | None


def test_a_hint_may_be_missing_or_unknown(info):
    found = parameters_of(info("callback", "paint"))

    assert found["weights"].annotation is Any
    assert found["color"].annotation is acme_parts.Color


def test_variadic_parameters_are_ignored(info):
    assert list(parameters_of(info("callback", "paint"))) == ["color", "weights"]


def test_a_partial_has_other_defaults(info):
    assert parameters_of(info("callback", "thick_paint"))["color"].default is acme_parts.Color.BLUE


def test_an_explicit_signature_is_used(of):
    class Signed:
        def __init__(self, *args, **kwargs): ...

    Signed.__signature__ = inspect.Signature(
        [inspect.Parameter("x", inspect.Parameter.KEYWORD_ONLY, annotation=int, default=1)]
    )

    assert of(Signed)["x"].annotation is int


@pytest.mark.parametrize(
    ("hint", "slot"),
    [
        (sslreg.MemoryBank, Slot("memory_bank")),
        (sslreg.MemoryBank | None, Slot("memory_bank", optional=True)),
        (Annotated[sslreg.MemoryBank | None, "note"], Slot("memory_bank", optional=True)),
        (list[sslreg.Augmentation], Slot("augmentation", many=True)),
        (Sequence[sslreg.MemoryBank], Slot("memory_bank", many=True)),
        (Sequence[sslreg.Augmentation], Slot("augmentation", many=True)),
        (tuple[sslreg.Augmentation, ...], Slot("augmentation", many=True)),
        (Sequence[sslreg.Augmentation] | None, Slot("augmentation", many=True, optional=True)),
        (acme_parts.Fifo, Slot("memory_bank", contract=acme_parts.Fifo)),
        (acme_parts.Tiny | None, Slot("backbone", optional=True, contract=acme_parts.Tiny)),
        (sslreg.Dataset, Slot("dataset")),
        (acme_parts.NotAContract, None),
        (list[int], None),
        (Any, None),
    ],
)
def test_a_contract_makes_a_slot(of, hint, slot):
    def loss(bank=None): ...

    loss.__annotations__["bank"] = hint
    found = of(loss)

    assert (found["bank"].slot if "bank" in found else None) == slot


def test_a_fact_of_the_run_is_not_writable(info):
    found = parameters_of(info("memory_bank", "Fifo"))

    assert found["dim"].from_run == "embedding_dim"
    assert list(found.writable) == ["size"]


def test_a_fact_of_the_run_may_be_optional(of):
    def loss(classes: Annotated[int, sslreg.FromRun("num_classes")] | None = None): ...

    assert of(loss)["classes"].from_run == "num_classes"


def test_positional_parameters_are_ignored(info):
    assert "params" not in parameters_of(info("optimizer", "torch.optim:SGD"))
    assert "optimizer" not in parameters_of(info("schedule", "torch.optim.lr_scheduler:StepLR"))


def test_names_reserved_by_the_kind_are_hidden(info):
    assert list(parameters_of(info("augmentation", "Jitter"))) == ["brightness"]
    assert kind_keys("augmentation")["p"].default == 1.0


def test_optimizers_of_torch_register_unchanged(info):
    found = parameters_of(info("optimizer", "torch.optim:AdamW"))

    assert found["lr"].annotation is float
    assert found["betas"].annotation == tuple[float, float]
    assert found["lr"].description.startswith("learning rate")
    assert not found.unwritable


@pytest.mark.parametrize("name", ["Adam", "SGD", "RMSprop", "LBFGS", "Adagrad", "NAdam", "RAdam"])
def test_every_optimizer_of_torch_can_be_written(info, name):
    found = parameters_of(info("optimizer", f"torch.optim:{name}"))

    assert "lr" in found
    assert not found.unwritable


def test_data_sets_of_torchvision_register_unchanged(info):
    found = parameters_of(info("dataset", "torchvision.datasets:CIFAR10"))

    assert list(found) == ["root", "train", "download"]
    assert found["root"].annotation == str | Path


def test_transforms_of_torchvision_register_unchanged(info):
    blur = parameters_of(info("augmentation", "torchvision.transforms.v2:GaussianBlur"))
    crop = parameters_of(info("augmentation", "torchvision.transforms.v2:RandomResizedCrop"))

    assert list(blur) == ["kernel_size", "sigma"]
    chosen = crop["interpolation"].adapter.validate_json('"bilinear"', strict=True)
    # An enumeration's member, or in later versions the word itself.
    assert getattr(chosen, "value", chosen) == "bilinear"


def test_types_that_yaml_cannot_express_are_omitted_or_unwritable(info):
    assert "transform" not in parameters_of(info("dataset", "Photos"))
    assert parameters_of(info("callback", "NeedsCallable")).unwritable == ("function",)


@pytest.mark.parametrize(
    ("kind", "target", "name", "text"),
    [
        ("dataset", "Photos", "root", "the folder"),
        ("dataset", "Photos", "split", "which part of it, by folder name."),
        ("augmentation", "Crop", "size", "pixels of the result's sides."),
        ("augmentation", "Crop", "scale", "the share of the image's area. Default: (0.08, 1.0)"),
        ("augmentation", "Crop", "ratio", ""),
        ("augmentation", "Jitter", "brightness", "How much."),
        ("model", "Pairs", "projection", "the head's widths"),
        ("loss", "Contrast", "temperature", "what similarities are divided by."),
    ],
)
def test_docstrings_describe_parameters(info, kind, target, name, text):
    assert parameters_of(info(kind, target))[name].description == text


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (int, "int"),
        (Annotated[float, Field(gt=0)] | None, "float | None"),
        (PositiveInt | tuple[PositiveInt, PositiveInt], "int | tuple[int, int]"),
        (Literal["a", 1], "'a' | 1"),
        (Sequence[str], "Sequence[str]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (dict[str, Any], "dict[str, Any]"),
        (sslreg.Augmentation, "augmentation"),
        (list[sslreg.Augmentation] | None, "list[augmentation] | None"),
    ],
)
def test_types_are_formatted_as_written(of, hint, text):
    def loss(x): ...

    loss.__annotations__["x"] = hint

    assert of(loss)["x"].type_text == text


def test_a_target_that_is_not_callable_is_a_broken_component(of):
    with pytest.raises(UserError, match="cannot be called"):
        of(42)


def test_keys_of_sections_come_from_their_dataclasses():
    assert section_keys(DataSpec)["train"].slot == Slot("dataset")
    assert section_keys(DataSpec)["batch_size"].default == 256
    assert section_keys(Sections)["data"].required
    assert all(parameter.description for parameter in section_keys(Sections).values())
    assert all(parameter.description for parameter in section_keys(DataSpec).values())
