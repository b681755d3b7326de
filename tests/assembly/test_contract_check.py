"""Components of plugins that break their contract are named with their package, in one message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sslreg
from sslreg import UserError
from sslreg.assembly import try_spec
from sslreg.spec import Spec
from sslreg.testing.temporary_components import temporary_components


class Empty:
    """No component."""


class WithoutApply(sslreg.Augmentation):
    pass


class DrawWithoutShapes(sslreg.Augmentation):
    def draw(self, keys):  # type: ignore[override]
        return {}

    def apply(self, images, params):
        return images


class AsyncApply(sslreg.Augmentation):
    async def apply(self, images, params):  # type: ignore[override]
        return images


class AsyncCall:
    async def __call__(self, image: Tensor) -> Tensor:
        return image


async def build_nothing() -> None:
    pass


async def yield_nothing():
    yield None


class WithoutStep(sslreg.Model):
    backbone: Any = None
    embedding_dim = 3


class WithoutBackbone(WithoutStep):
    def training_step(self, batch, loss):
        raise NotImplementedError


class StepWithoutLoss(WithoutStep):
    def training_step(self, batch):  # type: ignore[override]
        raise NotImplementedError


class WithoutWidth(sslreg.Backbone):
    def forward(self, images: Tensor) -> Tensor:
        return images


class WithoutTokens(sslreg.PatchBackbone):
    patch_size, token_features, num_features, has_class_token = 4, 8, 8, False

    def forward(self, images):
        return images


class WithoutPatches(sslreg.PatchEvaluator):
    pass


class WithoutForward(sslreg.Backbone):
    num_features = 3


class WithoutEnqueue(sslreg.MemoryBank):
    def hold(self, dim: int) -> None: ...

    def negatives(self) -> Tensor:
        return torch.zeros(0, 3)


class ReadsNothing(sslreg.Reader):
    def matches(self, name: str, head: bytes) -> bool:
        return False


class TwoArguments(sslreg.Evaluator):
    def evaluate(self, reference, test):  # type: ignore[override]
        return {}


class AsyncEvaluator(sslreg.Evaluator):
    async def evaluate(self, reference, test, run):  # type: ignore[override]
        return {}


class WithoutLength(sslreg.Dataset):
    def __getitem__(self, index: int) -> Any:
        return torch.zeros(1, 8, 8)


class PlainForward(nn.Module):
    """A module without forward."""


class StopsEverything(BaseException):
    pass


def of(error: BaseException) -> Callable[[], Any]:
    """Return a constructor that raises an error."""

    def construct() -> Any:
        raise error

    return construct


class SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def recurse() -> Any:
    return recurse()


class LyingClass:
    """An object that claims to be a loss."""

    @property  # type: ignore[misc]
    def __class__(self):
        return sslreg.Loss


class RaisingMeta(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no instances")

    def __getattribute__(cls, name: str) -> Any:
        if name in ("takes", "gives", "views"):
            raise RuntimeError("no attributes")
        return super().__getattribute__(name)

    def __instancecheck__(cls, instance: object) -> bool:
        raise RuntimeError("no instances")

    def __repr__(cls) -> str:
        raise RuntimeError("no text")


class WithMetaclass(metaclass=RaisingMeta):
    """A component whose metaclass raises."""


FAULTS = [
    ("augmentation", Empty, "Empty is neither an sslreg.Augmentation nor a callable of one image"),
    ("augmentation", WithoutApply, r"WithoutApply does not implement apply\(images, params\)"),
    ("augmentation", DrawWithoutShapes, r"draw\(keys\) does not take .* of the contract, draw\(keys, shapes\)"),
    ("augmentation", AsyncApply, "apply is async, but must return its result; remove `async`"),
    ("augmentation", AsyncCall, "it is async, but must return the image"),
    ("augmentation", lambda: build_nothing, "it is async, but must return the image"),
    ("augmentation", build_nothing, "is async, but must return an augmentation"),
    ("model", build_nothing, "is async, but must return a model"),
    ("dataset", yield_nothing, "is async, but must return a dataset"),
    ("callback", build_nothing, "is async, but must return a callback"),
    ("model", Empty, "Empty is not an sslreg.Model"),
    ("model", WithoutStep, r"WithoutStep does not implement training_step\(batch, loss\)"),
    ("model", StepWithoutLoss, r"training_step\(batch\) does not take the arguments of the contract"),
    ("model", WithoutBackbone, "WithoutBackbone does not set the attribute backbone, an sslreg.Backbone"),
    ("backbone", WithoutWidth, "WithoutWidth does not set the attribute num_features, an integer"),
    ("backbone", WithoutTokens, r"WithoutTokens does not implement tokens\(images, keep, mask, mask_token\)"),
    ("evaluator", WithoutPatches, r"WithoutPatches does not implement evaluate_patches\(reference, test, run\)"),
    ("backbone", WithoutForward, r"WithoutForward does not implement forward\(images\)"),
    ("loss", PlainForward, r"PlainForward does not implement forward\(a, b\)"),
    ("loss", LyingClass, "LyingClass is neither an sslreg.Loss nor a torch.nn.Module"),
    ("memory_bank", WithoutEnqueue, r"WithoutEnqueue does not implement enqueue\(keys\)"),
    ("reader", ReadsNothing, r"ReadsNothing does not implement read\(source\)"),
    ("evaluator", TwoArguments, r"does not take the arguments of the contract, evaluate\(reference, test, run\)"),
    ("evaluator", AsyncEvaluator, "evaluate is async"),
    ("dataset", WithoutLength, r"WithoutLength does not implement __len__\(\)"),
    ("dataset", Empty, r"Empty does not implement __len__\(\)"),
    ("optimizer", Empty, r"Empty does not implement step\(\)"),
    ("loss", of(SystemExit(3)), "the constructor of loss .* ends the program"),
    ("loss", of(StopsEverything("all")), "the constructor of loss .* raises StopsEverything: all"),
    ("loss", of(asyncio.CancelledError()), "the constructor of loss .* raises CancelledError"),
    ("loss", of(KeyError("width")), "the constructor of loss .* raises KeyError: 'width'"),
    ("loss", of(SilentError()), "the constructor of loss .* raises SilentError: its message cannot be shown"),
    ("loss", recurse, "the constructor of loss .* raises RecursionError"),
    ("loss", WithMetaclass, "the constructor of loss .* raises RuntimeError: no instances"),
]


@pytest.mark.parametrize(("kind", "target", "message"), FAULTS)
def test_a_component_that_breaks_its_contract_is_named(kind: str, target: Any, message: str) -> None:
    with temporary_components(**{kind: {"broken": target}}), pytest.raises(UserError, match=message) as caught:
        sslreg.build(kind, "broken")
    assert f"{kind} 'broken' of temporary_components-" in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    ("kind", "target", "message", "override"),
    [
        ("augmentation", DrawWithoutShapes, "draw", "views.0.augment.0={use: broken}"),
        ("augmentation", build_nothing, "is async", "views.0.augment.0={use: broken}"),
        ("model", WithoutStep, "training_step", "model={use: broken}"),
        ("loss", WithMetaclass, "no attributes", "loss={use: broken}"),
        ("evaluator", TwoArguments, "evaluate", "evaluate=[{use: broken}]"),
        ("loss", of(StopsEverything()), "raises StopsEverything", "loss={use: broken}"),
    ],
)
def test_check_names_it_at_its_place(spec, kind: str, target: Any, message: str, override: str) -> None:
    with temporary_components(**{kind: {"broken": target}}), pytest.raises(UserError, match=message) as caught:
        try_spec(spec(override))
    (found,) = caught.value.diagnostics
    assert f"{kind} 'broken' of temporary_components-" in found.message
    assert (found.file, found.line) == ("--set", 1)


class ReadsUndrawn(sslreg.Augmentation):
    def apply(self, images, params):
        return images * params["factor"][:, None, None, None]


class DrawsOneNumber(ReadsUndrawn):
    def draw(self, keys, shapes):
        return {"factor": 0.5}


class DrawsNothing(ReadsUndrawn):
    def draw(self, keys, shapes):
        return None


class ReturnsNone(sslreg.Augmentation):
    def apply(self, images, params):
        return None


class DropsRows(sslreg.Augmentation):
    def apply(self, images, params):
        return images[:0]


class ReturnsSizes(sslreg.Augmentation):
    def apply(self, images, params):
        return images

    def output_shapes(self, shapes, params):
        return 8


class Raises(sslreg.Augmentation):
    def apply(self, images, params):
        raise SilentError


def returns_coroutine(image: Tensor) -> Any:
    return build_nothing()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (ReadsUndrawn, r"KeyError: 'factor'(.|\n)*draw\(keys, shapes\) returns what apply reads"),
        (DrawsOneNumber, "draw returned a float as 'factor', not a tensor with a row for each of 1 images"),
        (DrawsNothing, "draw returned a NoneType, not a dict of tensors"),
        (ReturnsNone, "apply returned a NoneType, not images"),
        (DropsRows, "apply returned 0 images for 1"),
        (ReturnsSizes, r"output_shapes returned a int, not a tensor \(1, 3\)"),
        (Raises, "SilentError: its message cannot be shown"),
        (lambda: returns_coroutine, "the function returned a coroutine, not an image"),
    ],
)
def test_check_names_an_augmentation_that_returns_something_else(spec, target: Any, message: str) -> None:
    with temporary_components(augmentation={"broken": target}), pytest.raises(UserError, match=message) as caught:
        try_spec(spec("views.0.augment.1={use: broken}"))
    (found,) = caught.value.diagnostics
    assert "augmentation 'broken' of temporary_components-" in found.message
    assert (found.file, found.line) == ("--set", 1)


class Halves(nn.Module):
    """A plain loss."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (a - b).square().mean() / 2


class SumOfLosses(sslreg.Loss):
    def __init__(self, inner: sslreg.Loss, augment: sslreg.Augmentation | None = None) -> None:
        super().__init__()
        self.inner, self.augment = inner, augment

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        return self.inner(*views, targets=targets)


def test_plain_objects_in_slots_are_adapted() -> None:
    with temporary_components(loss={"sum": SumOfLosses}):
        loss = sslreg.build("loss", "sum", inner=Halves(), augment=torch.sqrt)
        assert isinstance(loss.inner, sslreg.Loss)
        assert isinstance(loss.augment, sslreg.Augmentation)
        assert loss(torch.ones(2, 3), torch.zeros(2, 3)).item() == 0.5
        with pytest.raises(UserError, match="Empty is neither an"):
            sslreg.build("loss", "sum", inner=Empty())
        assert sslreg.build("loss", "sum", inner=Halves(), augment=None).augment is None


class ReadsBadly(sslreg.Dataset):
    def __len__(self) -> int:
        return 256

    def __getitem__(self, index: int) -> Any:
        return {}["image"]


def test_a_data_set_that_raises_is_named_before_training(spec: Callable[..., Spec], tmp_path) -> None:
    with temporary_components(dataset={"broken": ReadsBadly}):
        parsed = spec("data.train={use: broken}", "data.test=null", "evaluate=[]")
        with pytest.raises(UserError, match=r"dataset 'broken' of temporary_.*: item 0 cannot be read: KeyError"):
            sslreg.train(parsed, tmp_path / "run")
    assert not (tmp_path / "run").exists()
