"""The shapes of views, without data."""

from __future__ import annotations

from typing import Any

import pytest

import sslreg
from sslreg.assembly.builder import Builder
from sslreg.assembly.view_trial import find_constant_augmentations, try_operations

LONG = """
extends: digits-simclr
version: 1
views: [{{repeat: 2, augment: [{operations}]}}]
"""


def test_shapes_of_views_are_known_without_data() -> None:
    (crop,) = sslreg.find_view_shapes(sslreg.load_spec("folder-simclr", ["data.train.root=nowhere"]))
    assert (crop.shape, crop.is_fixed) == ((3, 224, 224), True)
    both, local = sslreg.find_view_shapes(sslreg.load_spec("digits-dino"))
    assert (both.shape, local.shape) == ((1, 16, 16), (1, 12, 12))


def test_shapes_may_depend_on_the_images() -> None:
    spec = sslreg.load_spec("digits-simclr")
    (view,) = sslreg.find_view_shapes(spec)
    assert not view.is_fixed
    (view,) = sslreg.find_view_shapes(spec, [(8, 12)])
    assert view.shape == (1, 16, 24)


def test_views_that_cannot_be_made_are_refused_at_their_operation() -> None:
    spec = sslreg.load_spec("digits-simclr", ["views.0.augment=[{use: center_crop, size: 5000}]"])
    with pytest.raises(sslreg.UserError, match=r"smaller than the crop") as caught:
        sslreg.find_view_shapes(spec)
    assert caught.value.diagnostics[0].file == "--set"


@pytest.mark.parametrize("wrong", [0, 17, 39])
def test_the_first_of_many_operations_that_fails_is_found(wrong: int) -> None:
    operations = ["{use: horizontal_flip, p: 0.5}"] * 40
    for place in (wrong, 39):
        operations[place] = "{use: center_crop, size: 5000}"
    spec = sslreg.parse_spec(LONG.format(operations=", ".join(operations)), "long.yaml")
    with pytest.raises(sslreg.UserError, match="smaller than the crop") as caught:
        try_operations(Builder(spec), spec.views[0].augment)
    line = LONG.format(operations=", ".join(operations)).splitlines()[caught.value.diagnostics[0].line - 1]
    column = caught.value.diagnostics[0].column
    assert line[: column - 1].count("use:") == wrong


def test_a_long_view_is_tried_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    draw = sslreg.ViewPlan.draw

    def count(plan: sslreg.ViewPlan, *arguments: Any) -> Any:
        drawn.append(len(plan.operations))
        return draw(plan, *arguments)

    monkeypatch.setattr(sslreg.ViewPlan, "draw", count)
    operations = ", ".join(["{use: horizontal_flip, p: 0.5}"] * 40)
    spec = sslreg.parse_spec(LONG.format(operations=operations), "long.yaml")
    try_operations(Builder(spec), spec.views[0].augment)
    assert set(drawn) == {40}


@pytest.mark.parametrize(
    ("views", "codes"),
    [
        ("[{repeat: 2, augment: [FLIP]}]", ["constant"]),
        ("[{repeat: 2, augment: [{use: horizontal_flip, p: 0.5}]}]", []),
        ("[{augment: [FLIP]}, {augment: [FLIP]}]", ["constant"]),
        ("[{augment: [FLIP]}, {augment: [{use: center_crop, size: 8}]}]", []),  # the views differ
        ("[{repeat: 2, augment: [{use: center_crop, size: 8}, {use: rotate90}]}]", []),
    ],
)
def test_an_augmentation_that_changes_every_view_in_the_same_way_causes_a_warning(views: str, codes: list[str]) -> None:
    spec = sslreg.load_spec("digits-simclr", [f"views={views.replace('FLIP', '{use: horizontal_flip}')}"])
    warnings = list(find_constant_augmentations(spec))
    assert [warning.code for warning in warnings] == codes
    assert all("'horizontal_flip' changes every view in the same way" in warning.message for warning in warnings)
