"""Further baselines: `check` tries them, and they are built for the embedding view."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sslreg import UserError
from sslreg.assembly import Builder, build_baseline, try_spec
from sslreg.spec import Spec, parse_spec


@pytest.fixture
def parse(tiny_spec: str) -> Callable[..., Spec]:
    def parse(baseline: str, *overrides: str) -> Spec:
        return parse_spec(f"{tiny_spec}baselines: {{other: {baseline}}}\n", "tiny.yaml", overrides)

    return parse


def test_check_accepts_a_baseline_without_reading_its_weights(parse: Callable[..., Spec]) -> None:
    spec = parse("{use: timm, name: test_resnet, weights: missing.safetensors}", "baselines.more={use: convnet}")
    assert list(spec.baselines) == ["other", "more"]
    try_spec(spec)
    assert {component.path for component in spec.components()} > {("baselines", "other"), ("baselines", "more")}


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ("{use: vit, patch_size: 5}", "8x8 pixels do not divide into patches of 5x5"),
        ("{use: timm, name: no_such_model}", "no_such_model"),
    ],
)
def test_check_refuses_a_baseline_that_does_not_fit(parse: Callable[..., Spec], baseline: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        try_spec(parse(baseline))
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.line, diagnostic.column) == (22, 20)


def test_a_baseline_without_patches_is_refused_if_patches_are_evaluated(parse: Callable[..., Spec]) -> None:
    spec = parse("{use: convnet}", "model.backbone={use: vit, patch_size: 2}", "evaluate=[{use: dense_knn}]")
    with pytest.raises(UserError, match="dense_knn evaluates features of patches, and the baseline 'convnet' has none"):
        try_spec(spec)


def test_a_baseline_gets_the_size_of_the_embedding_view(parse: Callable[..., Spec]) -> None:
    spec = parse("{use: vit, patch_size: 4, width: 16, depth: 1, heads: 2}")
    model = build_baseline(Builder(spec, {"in_channels": 1, "image_size": 8}), spec.baselines["other"], (3, 16, 12))
    assert not model.training
    assert model.embed(torch.zeros(2, 3, 16, 12)).shape == (2, 16)
    assert model.backbone.grid(torch.zeros(2, 3, 16, 12)) == (4, 3)


def test_a_baseline_with_missing_weights_is_an_error_with_its_location(
    parse: Callable[..., Spec], tmp_path: Path
) -> None:
    spec = parse("{use: timm, name: test_resnet, weights: missing.safetensors}")
    with pytest.raises(UserError, match=r"missing\.safetensors") as caught:
        build_baseline(Builder(spec, {"in_channels": 1}), spec.baselines["other"], (1, 8, 8))
    assert caught.value.diagnostics[0].line == 22
