"""sslreg explain"""

from __future__ import annotations

import json

import pytest

from sslreg.testing import temporary_components
from sslreg.testing.tiny_components import TinyModel


def explained(cli, *arguments: str) -> dict:
    return json.loads(cli("explain", "imagenet-simclr", "--json", *arguments).out)


def operations(stages: list[dict]) -> list[str]:
    return [operation for stage in stages for operation in stage["operations"]]


def test_stages_list_the_operations_in_order(cli) -> None:
    (view,) = explained(cli)["views"]
    assert view["repeat"] == 2
    assert operations(view["stages"]) == [
        "random_resized_crop",
        "horizontal_flip (p 0.5)",
        "round to 8 bits",
        "color_jitter (p 0.8)",
        "grayscale (p 0.2)",
        "gaussian_blur (p 0.5)",
        "normalize",
    ]


@pytest.mark.parametrize(("device", "photometric"), [("cuda", "cuda"), ("cpu", "host")])
def test_geometry_stays_on_the_host_and_the_rest_goes_to_the_device(cli, device: str, photometric: str) -> None:
    (view,) = explained(cli, "--device", device)["views"]
    places = {operation: stage["place"] for stage in view["stages"] for operation in stage["operations"]}
    assert places["random_resized_crop"] == "host"
    assert places["normalize"] == photometric


def test_operations_that_fuse_are_one_stage(cli) -> None:
    (view,) = explained(cli, "--device", "cpu")["views"]
    assert view["stages"][0]["operations"][:2] == ["random_resized_crop", "horizontal_flip (p 0.5)"]


def test_operations_after_geometry_are_one_stage_on_a_gpu(cli) -> None:
    (view,) = explained(cli, "--device", "cuda")["views"]
    assert [stage["operations"][0] for stage in view["stages"] if stage["place"] == "cuda"] == ["color_jitter (p 0.8)"]


def test_the_invariances_name_the_operations_that_induce_them(cli) -> None:
    assert explained(cli)["invariances"] == {
        "shape": ["random_resized_crop", "horizontal_flip"],
        "color": ["color_jitter", "grayscale"],
        "texture": ["gaussian_blur"],
    }


def test_the_embedding_view_is_shown(cli) -> None:
    assert operations(explained(cli)["embed_view"]) == ["resize", "center_crop", "round to 8 bits", "normalize"]


def test_a_view_that_removes_what_the_task_needs_causes_a_warning(cli) -> None:
    result = cli("explain", "imagenet-simclr", "--set", "task={keep: [color]}")
    assert result.status == 0
    assert "'color_jitter' teaches the model to overlook color" in result.err
    assert "overlooks color: color_jitter, grayscale" in result.out


def test_an_unknown_device_is_refused(cli) -> None:
    result = cli("explain", "imagenet-simclr", "--device", "gpu")
    assert result.status == 2
    assert "--device gpu: torch has no such device" in result.err


class MultiCrop(TinyModel):
    """Global and local crops."""

    roles = {"global": (2, 2), "local": (0, None)}  # noqa: RUF012


def test_roles_of_views_are_shown(cli) -> None:
    crop = "augment: [{use: random_resized_crop, size: 96}]"
    views = f"views=[{{repeat: 2, {crop}}}, {{as: local, repeat: 6, {crop}}}]"
    with temporary_components(model={"multi_crop": MultiCrop}):
        shown = explained(cli, "--set", "model.use=multi_crop", "--set", views)["views"]
        text = cli("explain", "imagenet-simclr", "--set", "model.use=multi_crop").out

    assert [(view["role"], view["repeat"]) for view in shown] == [("global", 2), ("local", 6)]
    assert "view 1 (global), made 2 times" in text
