"""The component whose code raises an exception is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import sslreg
from sslreg import SslregError
from sslreg.assembly import assemble, blame_components
from sslreg.contracts import Batch
from sslreg.spec import parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.testing.tiny_components import TinyModel


class DividesByZero(nn.Module):
    """A loss whose helper fails."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a.sum() * divide(1, 0)


def divide(a: int, b: int) -> float:
    return a / b


class Exits(nn.Module):
    """A loss that ends the program."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        raise SystemExit(3)


class OutOfMemory(nn.Module):
    """A loss for which the memory does not suffice."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


class Broken(TinyModel):
    """A model with a layer of another width, after its loss has been computed."""

    def training_step(self, batch: Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        output = super().training_step(batch, loss)
        nn.Linear(3, 3)(output.loss.expand(2))
        return output


def build_backbone() -> sslreg.Backbone:
    """Build a backbone that cannot be recognized by its class."""
    backbone: sslreg.Backbone = sslreg.build("backbone", "convnet", width=4, depth=1, in_channels=1)
    return backbone


def run_step(tiny_spec: str, *overrides: str) -> None:
    """Run the step of a model within `blame_components`."""
    spec = parse_spec(tiny_spec, "tiny.yaml", ["evaluate=[]", *overrides])
    pipeline = assemble(spec)
    batch = pipeline.collate([pipeline.train[index] for index in range(8)])
    assert isinstance(batch, Batch)
    with blame_components(spec):
        pipeline.model.training_step(batch, pipeline.loss)


def test_the_innermost_component_is_named_with_its_package_and_the_line(tiny_spec: str) -> None:
    with temporary_components(loss={"broken": DividesByZero}), pytest.raises(SslregError) as caught:
        run_step(tiny_spec, "loss={use: broken}")
    assert re.fullmatch(
        rf"loss 'broken' of temporary_components-\d+ raises ZeroDivisionError: division by zero "
        rf"\({re.escape(__file__)}:{divide.__code__.co_firstlineno + 1}\)",
        caught.value.diagnostics[0].message,
    )
    assert caught.value.diagnostics[0].code == "broken-component"
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_component_that_a_function_built_is_named_with_the_one_that_uses_it(tiny_spec: str) -> None:
    components = temporary_components(model={"broken": Broken}, backbone={"unrecognized": build_backbone})
    message = r"^model 'broken' of \S+, backbone 'unrecognized' of \S+ raises RuntimeError: mat1 and mat2"
    with components, pytest.raises(SslregError, match=message):
        run_step(tiny_spec, "model={use: broken, backbone: {use: unrecognized}}")


def test_a_component_that_ends_the_program_is_named(tiny_spec: str) -> None:
    message = r"^loss 'broken' of \S+ ends the program"
    with temporary_components(loss={"broken": Exits}), pytest.raises(SslregError, match=message):
        run_step(tiny_spec, "loss={use: broken}")


def test_a_failure_of_the_machine_keeps_its_message(tiny_spec: str) -> None:
    with temporary_components(loss={"innocent": OutOfMemory}), pytest.raises(torch.OutOfMemoryError):
        run_step(tiny_spec, "loss={use: innocent}")


def test_a_failure_elsewhere_keeps_its_traceback(tiny_spec: str) -> None:
    spec = parse_spec(tiny_spec, "tiny.yaml")
    with pytest.raises(ZeroDivisionError), blame_components(spec):
        divide(1, 0)


class BrokenAfterStep(TinyModel):
    """A model that fails after the optimizer step."""

    def after_step(self) -> None:
        raise KeyError("teacher")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["loss={use: broken}"], "^loss 'broken' of .* raises ZeroDivisionError"),
        (
            ["model={use: broken, backbone: {use: convnet, width: 4, depth: 1}}"],
            "^model 'broken' .* KeyError: 'teacher'",
        ),
    ],
)
def test_a_training_that_a_component_ends_names_it(
    changes: list[str], message: str, tiny_spec: str, tmp_path: Path
) -> None:
    with temporary_components(loss={"broken": DividesByZero}, model={"broken": BrokenAfterStep}):
        spec = parse_spec(tiny_spec, "tiny.yaml", [*changes, "data.batch_size=256", "evaluate=[]", "data.test=null"])
        with pytest.raises(SslregError, match=message):
            sslreg.train(spec, tmp_path / "run")
