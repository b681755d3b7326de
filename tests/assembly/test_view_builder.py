"""The views of a method with global and local crops, listed in another order than the model declares them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

import sslreg
from sslreg.assembly import assemble, build_collate, build_embed_collate, try_spec
from sslreg.spec import Spec, parse_spec
from sslreg.testing import temporary_components

SPEC = """
version: 1
data: {train: {use: digits}, channels: 1, batch_size: 8}
views:
  - as: local
    repeat: 3
    augment: [{use: random_resized_crop, size: 16}]
  - repeat: 2
    augment: [{use: random_resized_crop, size: 32}, {use: normalize, mean: [0.5], std: [0.5]}]
model: {use: multi_crop, backbone: {use: convnet, width: 8, depth: 2}}
loss: {use: nt_xent}
optimizer: {use: sgd, lr: 0.1}
trainer: {max_epochs: 1, accelerator: cpu}
"""


class MultiCrop(sslreg.Model):
    """A method that fails if it gets other crops or no keys."""

    gives = ("pair",)
    roles = {"global": (2, 2), "local": (0, None)}  # noqa: RUF012

    def __init__(self, backbone: sslreg.Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.embedding_dim = backbone.num_features

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        first, second, *local = sslreg.forward_by_size(
            self.backbone, [*batch.views_of("global"), *batch.views_of("local")]
        )
        if len(local) != 3 or batch.keys("mask").bernoulli(0.5, (2,)).shape != (len(batch), 2):
            raise ValueError("wrong crops")
        return sslreg.StepOutput(loss(first, second), embeddings=first)


@pytest.fixture
def spec() -> Iterator[Callable[..., Spec]]:
    with temporary_components(model={"multi_crop": MultiCrop}):
        yield lambda *overrides: parse_spec(SPEC, "crops.yaml", overrides)


def test_a_batch_has_the_roles_of_the_spec_on_every_path(spec) -> None:
    samples = [sslreg.Sample(torch.zeros(1, 8, 8, dtype=torch.uint8), index=0, epoch=0)]
    now, later = build_collate(spec())(samples), build_collate(spec(), device="cpu")(samples)

    assert now.roles == later.finish("cpu").roles == ("local", "local", "local", "global", "global")
    assert now.groups == (0, 0, 0, 1, 1)
    assert [view.shape[-1] for view in now.views_of("global")] == [32, 32]


def test_images_are_embedded_like_the_first_view_of_the_first_role(spec) -> None:
    image = torch.full((1, 8, 8), 255, dtype=torch.uint8)

    (view,) = build_embed_collate(spec())([image]).views
    assert view.shape == (1, 1, 32, 32)
    assert view.max() == 1.0


def test_the_image_size_is_that_of_the_largest_view(spec) -> None:
    assert assemble(spec()).facts["image_size"] == 32
    assert assemble(spec("views.0.augment.0.size=48")).facts["image_size"] == 48


def test_a_step_is_tried_with_the_roles(spec) -> None:
    try_spec(spec())
    with pytest.raises(sslreg.UserError, match="wrong crops"):
        try_spec(spec("views.0.repeat=2"))


def test_a_backbone_that_does_not_take_every_size_is_refused(spec) -> None:
    with pytest.raises(sslreg.UserError, match="images of 16x16 pixels do not divide") as raised:
        try_spec(spec("model.backbone={use: vit_b_32}", "data.channels=3", "views.1.augment.1.p=0"))

    assert raised.value.diagnostics[0].code == "image-shape"
