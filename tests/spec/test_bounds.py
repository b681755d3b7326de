"""The bounds of signatures in direct calls of constructors."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
import torch
from pydantic import Field
from torch import nn

import sslreg
from sslreg.registry import installed
from sslreg.spec.parameters import parameters_of
from sslreg.testing.example_arguments import values_out_of_bounds
from sslreg_evaluators.knn import KNN
from sslreg_models.moco import MoCo
from sslreg_optimizers.cosine import CosineWithWarmup
from sslreg_optimizers.lars import LARS


class Scaled(sslreg.Model):
    """A model with bounds."""

    def __init__(
        self,
        scale: Annotated[float, Field(gt=0)],
        mode: Literal["sum", "mean"] | nn.Module = "sum",
        widths: Annotated[list[int], Field(min_length=1)] = [1],  # noqa: B006
    ) -> None:
        super().__init__()
        self.scale, self.mode, self.widths = scale, mode, list(widths)
        self.layer = nn.Linear(1, 1)


class Doubled(Scaled):
    """A subclass with a wider signature."""

    def __init__(self, scale: float = 2.0, **more: Any) -> None:
        super().__init__(scale=scale, **more)


@sslreg.enforce_bounds
@dataclass
class Counted:
    """A class whose constructor is generated."""

    count: Annotated[int, Field(ge=1, le=3)] = 1


@sslreg.enforce_bounds
def make_counted(count: Annotated[int, Field(ge=2)], *rest: int) -> Counted:
    """Return a component."""
    return Counted(count)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LARS([nn.Parameter(torch.ones(1))], lr=-1), "lr is -1; it should be greater than 0"),
        (lambda: LARS([nn.Parameter(torch.ones(1))], -1), "lr is -1; it should be greater than 0"),
        (lambda: KNN(k=0), "k is 0; it should be at least 1"),
        (lambda: MoCo(None, momentum=2), "momentum is 2; it should be less than 1"),
        (lambda: CosineWithWarmup(None, 1, 1, -1), "warmup_epochs is -1; it should be at least 0"),
        (lambda: Scaled(0), "scale is 0; it should be greater than 0"),
        (lambda: Scaled(1, mode="max"), "mode is 'max'; it should be 'sum' or 'mean'"),
        (lambda: Scaled(1, widths=[]), r"widths is \[\]; it should have at least 1 item"),
        (lambda: Doubled(-1), "scale is -1; it should be greater than 0"),
        (lambda: Counted(4), "count is 4; it should be at most 3"),
        (lambda: make_counted(1), "count is 1; it should be at least 2"),
    ],
)
def test_a_constructor_refuses_a_value_out_of_bounds(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_every_registered_component_refuses_every_value_out_of_its_bounds() -> None:
    refused = 0
    for info in installed():
        for name, parameter in parameters_of(info).items():
            for value in values_out_of_bounds(parameter):
                with pytest.raises(ValueError, match=f"^{name} is .*; it should (be|have) "):
                    info.load()(**{name: value})
                refused += 1
    assert refused > 300


def test_objects_and_iterators_reach_the_constructor() -> None:
    layer = nn.Identity()
    assert Scaled(torch.tensor(2.0), mode=layer).mode is layer
    assert Scaled(1, widths=iter([3, 4])).widths == [3, 4]


def test_wrong_arguments_are_reported_by_the_constructor() -> None:
    with pytest.raises(TypeError, match=r"Scaled\.__init__\(\) missing 1 required positional argument: 'scale'"):
        Scaled()
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'scales'"):
        Scaled(1, scales=2)


def test_signatures_names_and_docstrings_are_kept() -> None:
    assert [*inspect.signature(Scaled).parameters] == ["scale", "mode", "widths"]
    assert [*inspect.signature(LARS).parameters][:2] == ["params", "lr"]
    assert make_counted.__name__ == "make_counted"
    assert inspect.getdoc(make_counted) == "Return a component."


def test_components_are_pickled_and_copied() -> None:
    model = Scaled(2, widths=[5])
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert (other.scale, other.widths) == (2, [5])
    assert pickle.loads(pickle.dumps(make_counted)) is make_counted
    assert pickle.loads(pickle.dumps(KNN(7))).k == 7
