"""The operations of views, and the views with some of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sslreg
from sslreg_tune.parameters import Values
from sslreg_tune.search_space import SearchSpace, build_search_space
from sslreg_tune.view_space import ViewSpace
from sslreg_tune.view_space_builder import build_view_space

CONTAINERS = [
    {"use": "resize", "size": [16, 16]},
    {"use": "random_apply", "p": 0.5, "augment": [{"use": "gaussian_blur"}, {"use": "solarize"}]},
    {"use": "one_of", "augment": [{"use": "random_resized_crop", "size": 16}, {"use": "resize", "size": [16, 16]}]},
    {"use": "random_apply", "p": 0.2, "augment": [{"use": "gaussian_noise"}]},
    {"use": "normalize", "mean": [0.5], "std": [0.5]},
]


def load(name: str, *overrides: str) -> tuple[sslreg.Spec, ViewSpace]:
    spec = sslreg.load_spec(name, overrides)
    return spec, build_view_space(spec, overrides)


def starting(space: ViewSpace, **changes: Any) -> Values:
    return {one.name: one.starts for one in space.operations} | changes


def augment(space: ViewSpace, view: int = 0, **changes: Any) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = space.build_views(starting(space, **changes))[view]["augment"]
    return entries


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["use"] for entry in entries]


@pytest.fixture(scope="module")
def digits() -> ViewSpace:
    return load("digits-simclr")[1]


@pytest.fixture(scope="module")
def folder() -> ViewSpace:
    return load("folder-simclr")[1]


@pytest.mark.parametrize("name", ["digits-simclr", "folder-simclr", "imagenette-dino", "folder-mae", "medical-simclr"])
def test_the_starting_values_give_the_starting_views(name: str) -> None:
    spec, space = load(name)
    assert space.build_views(starting(space)) == spec.to_dict()["views"]


def test_operations_are_aspects_that_fit_the_images(digits: ViewSpace, folder: ViewSpace) -> None:
    levels = {one.name: (one.levels, one.starts) for one in digits.operations}
    assert levels["affine_rotation"] == (("off", "as written", "scaled"), "as written")
    assert levels["random_resized_crop"] == (("off", "scaled"), "off")
    assert levels["horizontal_flip"] == (("off", "as written"), "off")
    assert not levels.keys() & {"grayscale", "color_jitter_hue", "resize", "normalize", "one_of"}
    levels = {one.name: (one.levels, one.starts) for one in folder.operations}
    assert levels["grayscale"] == levels["horizontal_flip"] == (("off", "as written"), "as written")
    assert levels["color_jitter_hue"] == (("off", "as written", "scaled"), "as written")
    assert levels["affine_scale"] == (("off", "scaled"), "off")


def test_operations_are_grouped_by_invariance(digits: ViewSpace) -> None:
    groups = [min(one.invariances) for one in digits.operations]
    assert groups == sorted(groups, key=["shape", "texture", "color"].index)


def test_an_entry_disappears_with_its_last_aspect(digits: ViewSpace) -> None:
    off = {"color_jitter_brightness": "off", "gaussian_blur": "off"}
    assert names(augment(digits, **off)) == ["resize", "affine", "elastic", "color_jitter"]
    assert names(augment(digits, **off, color_jitter_contrast="off")) == ["resize", "affine", "elastic"]


def test_new_operations_come_after_the_geometry_and_before_the_levels(folder: ViewSpace) -> None:
    new = {
        "solarize": "scaled",
        "solarize.strength": 0.5,
        "gaussian_noise": "scaled",
        "gaussian_noise.strength": 0.1,
        "affine_scale": "scaled",
        "affine_scale.strength": 0.2,
        "affine_shear": "scaled",
        "affine_shear.strength": 0.2,
    }
    entries = augment(folder, **new)
    assert names(entries)[:6] == [
        "random_resized_crop", "horizontal_flip", "affine", "gaussian_noise", "solarize", "color_jitter",
    ]  # fmt: skip
    assert names(entries)[-1] == "normalize"
    assert entries[2] == {
        "use": "affine",
        "degrees": 0.0,
        "interpolation": "bilinear",
        "scale": [0.8333, 1.2],
        "shear": 9.0,
    }


def test_what_gives_views_their_size_is_replaced() -> None:
    _, space = load("folder-simclr", "views.0.augment.0.size=[96, 96]")
    assert augment(space, random_resized_crop="off")[:2] == [
        {"use": "resize", "size": 96},
        {"use": "center_crop", "size": 96},
    ]
    _, space = load("folder-simclr", "views.0.augment.0.size=[96, 128]")
    assert augment(space, random_resized_crop="off")[0] == {"use": "resize", "size": [96, 128]}


def test_a_crop_that_keeps_the_size_just_disappears() -> None:
    crops = [{"use": "resize", "size": [16, 16]}, {"use": "random_resized_crop", "size": 16}]
    _, space = load("digits-simclr", f"views.0.augment={json.dumps(crops)}")
    assert augment(space, random_resized_crop="off") == crops[:1]


def test_a_masked_method_may_lose_its_only_operation() -> None:
    spec, space = load("folder-mae")
    views = space.build_views(starting(space, random_resized_crop="off", horizontal_flip="off"))
    changed = sslreg.load_spec("folder-mae", [f"views={json.dumps(views)}"])
    assert sslreg.find_view_shapes(changed) == sslreg.find_view_shapes(spec)


def test_kinds_of_views_keep_their_own_operations_and_sizes() -> None:
    _, space = load("imagenette-dino")
    scaled = {"solarize": "scaled", "solarize.strength": 0.25, "elastic": "scaled", "elastic.strength": 1.0}
    views = space.build_views(starting(space, **scaled))
    # Solarization is written for one of the three kinds of views.
    assert [names(view["augment"]).count("solarize") for view in views] == [0, 1, 0]
    assert [view["augment"][2]["sigma"] for view in views] == [10.67, 10.67, 5.333]
    off = space.build_views(starting(space, random_resized_crop="off"))
    assert [view["augment"][0]["size"] for view in off] == [128, 128, 64]
    assert [view.get("repeat") for view in off] == [None, None, 6]


def test_containers_are_operations_as_a_whole() -> None:
    _, space = load("digits-simclr", f"views.0.augment={json.dumps(CONTAINERS)}")
    found = {one.name: one for one in space.operations if one.name.startswith(("random_apply", "one_of"))}
    assert {name: sorted(one.invariances) for name, one in found.items()} == {
        "random_apply": ["color", "texture"],
        "one_of": ["shape"],
        "random_apply_2": ["texture"],
    }
    assert all(one.levels == ("off", "as written") for one in found.values())
    assert augment(space) == CONTAINERS
    assert augment(space, random_apply="off", one_of="off") == [CONTAINERS[0], *CONTAINERS[3:]]


def test_operations_that_never_apply_are_not_in_the_starting_spec() -> None:
    _, space = load("digits-simclr", "views.0.augment.2.p=0")
    assert next(one for one in space.operations if one.name == "elastic").starts == "off"
    added = augment(space, **{"elastic": "scaled", "elastic.strength": 0.5})
    assert [entry.get("p") for entry in added if entry["use"] == "elastic"] == [0, None]


def test_sizes_that_depend_on_the_images_are_read_from_one(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 60, 3), dtype=np.uint8)).save(tmp_path / "one.png")
    operations = [{"use": "resize", "size": 20}, {"use": "gaussian_blur"}]
    _, space = load("folder-simclr", f"data.train.root={tmp_path}", f"views.0.augment={json.dumps(operations)}")
    assert space.views[0].shape == (3, 20, 30)
    # Quarter turns would change the shape.
    assert "rotate90" not in {one.name for one in space.operations}


ACME = """
import sslreg

sslreg_api = 1

class Identity(sslreg.Augmentation):
    def apply(self, images, params):
        return images

class Broken(Identity):
    @classmethod
    def at_strength(cls, strengths, shape):
        raise RuntimeError("out of order")

class Needy(Identity):
    def __init__(self, needed: float) -> None:
        self.needed = needed

class Warp(Identity):
    def __init__(self, warp: float = 1.0, bend: float = 1.0) -> None:
        if warp == 0.0:
            raise RuntimeError("division by zero")

    @classmethod
    def aspects(cls, shape):
        return ["warp", "bend"]

    @classmethod
    def at_strength(cls, strengths, shape):
        return {"warp": 0.0, "bend": 0.0, **strengths}

@sslreg.hookimpl
def sslreg_register(registry):
    for name in ("Broken", "Needy", "Warp", "Missing"):
        registry.augmentation(name.lower(), f"{__name__}:{name}", invariances=("shape",))
"""


def test_augmentations_that_fail_are_left_out_with_a_warning(site: Any, caplog: pytest.LogCaptureFixture) -> None:
    site.install("acme", ACME)
    written = [{"use": "resize", "size": [16, 16]}, {"use": "warp"}, {"use": "broken"}]
    _, space = load("digits-simclr", f"views.0.augment={json.dumps(written)}")
    names = {one.name for one in space.operations}
    assert "elastic" in names
    assert not names & {"broken", "needy", "warp", "warp_warp", "missing"}
    for name in ("broken", "needy", "warp", "missing"):
        assert f"the search leaves out augmentation '{name}' of acme" in caplog.text
    # What the spec has of them stays.
    assert augment(space) == written


@pytest.mark.parametrize(
    "name", ["digits-simclr", "digits-dino", "digits-mae", "folder-simclr", "medical-simclr", "sprites-simclr"]
)
def test_every_spec_of_the_space_is_accepted(name: str) -> None:
    spec = sslreg.load_spec(name)
    space = build_search_space(spec, ["optimizer.lr=1e-4..1e-2:log"], views=True)
    for values in space.design(12, seed=1):
        changed = sslreg.load_spec(name, space.overrides(values))
        assert [view.repeat for view in changed.views] == [view.repeat for view in spec.views]


@pytest.mark.parametrize("name", ["digits-simclr", "digits-dino", "digits-mae"])
def test_views_of_the_space_keep_their_shapes(name: str) -> None:
    spec = sslreg.load_spec(name)
    space = build_search_space(spec, views=True)
    for values in [_all(space, "off"), *space.design(3, seed=2)]:
        changed = sslreg.load_spec(name, space.overrides(values))
        shapes = [view.shape for view in sslreg.find_view_shapes(changed, [(8, 8)])]
        assert shapes == [view.shape for view in sslreg.find_view_shapes(spec, [(8, 8)])]


def _all(space: SearchSpace, level: str) -> Values:
    return {parameter.name: level for parameter in space.parameters}
