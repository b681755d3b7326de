import pytest
import torch
from torch import Tensor

import sslreg
from sslreg.contracts import SampleKeys
from sslreg.views import Operation, ViewPlan, to_batch


class Shift(sslreg.Augmentation):
    """Geometry whose result lies between levels."""

    geometry = True

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images + 0.3 / 255


class Crop(sslreg.Augmentation):
    geometry = True
    ragged = True

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        if bool((shapes[:, 1:] < 2).any()):
            raise ValueError("too small")
        return {"left": keys.integers(0, shapes[:, 2] - 1)}

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        return [im[:, :2, left : left + 2] for im, left in zip(images, params["left"].tolist(), strict=True)]

    def output_shapes(self, shapes: Tensor, params: sslreg.Params) -> Tensor:
        return torch.cat((shapes[:, :1], torch.full((len(shapes), 2), 2)), dim=1)

    def for_embedding(self) -> list[sslreg.Augmentation]:
        return [Shift(), Crop()]


class Fade(sslreg.Augmentation):
    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"factor": keys.uniform()}

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        assert images.dtype == torch.float32
        return images * params["factor"][:, None, None, None]


class OnHost(Fade):
    host_only = True


class Liar(sslreg.Augmentation):
    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images[:, :, :1]


def plan(*augmentations: sslreg.Augmentation, place: str = "auto") -> ViewPlan:
    return ViewPlan([Operation(type(one).__name__.lower(), one) for one in augmentations], place=place)  # type: ignore[arg-type]


def run(plan: ViewPlan, images: list[Tensor]) -> Tensor:
    keys = SampleKeys.of_samples(0, [0] * len(images), list(range(len(images))))
    return to_batch(plan.run(list(images), plan.draw(keys, 0, images), range(len(plan.steps))))


EIGHT_BITS = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 4)
DEEP = torch.linspace(0, 0.9, 12).reshape(1, 3, 4)


def test_leading_geometry_ends_in_one_rounding_to_the_levels_of_eight_bits() -> None:
    # 0.6 of a level, rounded once, is one level; rounded after each shift it would be none.
    assert torch.equal(run(plan(Shift(), Shift()), [EIGHT_BITS]) * 255, EIGHT_BITS[None] + 1.0)


def test_deeper_images_are_not_rounded() -> None:
    assert torch.allclose(run(plan(Shift()), [DEEP]), DEEP + 0.3 / 255)


def test_a_batch_of_both_rounds_those_of_eight_bits() -> None:
    views = run(plan(Shift(), Shift()), [EIGHT_BITS, DEEP])
    assert torch.equal(views[0] * 255, EIGHT_BITS + 1.0)
    assert torch.allclose(views[1], DEEP + 0.6 / 255)


def test_what_follows_works_in_floating_point_and_so_does_geometry_there() -> None:
    views = run(plan(Fade(), Shift()), [EIGHT_BITS])
    assert not torch.equal((views * 255).round() / 255, views)


def test_images_of_any_sizes_become_one_batch() -> None:
    assert run(plan(Fade(), Crop(), Fade()), [EIGHT_BITS, EIGHT_BITS[:, :, :3], EIGHT_BITS]).shape == (3, 1, 2, 2)


def test_each_occurrence_of_an_operation_draws_for_itself() -> None:
    drawn = plan(Fade(), Fade()).draw(SampleKeys.of_samples(0, [0], [0]), 0, [DEEP])
    assert drawn[0].params["factor"] != drawn[1].params["factor"]


def test_another_operation_leaves_the_draws_alone() -> None:
    keys = SampleKeys.of_samples(0, [0], [0])
    alone, with_crop = plan(Fade()).draw(keys, 0, [DEEP]), plan(Crop(), Fade()).draw(keys, 0, [DEEP])
    assert torch.equal(alone[-1].params["factor"], with_crop[-1].params["factor"])


def test_a_view_of_several_sizes_is_an_error_that_names_the_fix() -> None:
    with pytest.raises(sslreg.UserError, match=r"1 × 3 × 3, 1 × 3 × 4") as caught:
        run(plan(Fade()), [EIGHT_BITS, EIGHT_BITS[:, :, :3]])
    assert "random_resized_crop" in str(caught.value)


def test_an_operation_that_changes_shapes_unannounced_is_named() -> None:
    with pytest.raises(sslreg.UserError, match=r"liar returned .*\[1, 1, 4\].*\[1, 3, 4\]"):
        run(plan(Liar()), [EIGHT_BITS])


def test_an_operation_that_refuses_an_image_is_named() -> None:
    with pytest.raises(sslreg.UserError, match="view 0, crop: too small"):
        run(plan(Crop()), [EIGHT_BITS[:, :1]])


def test_embedding_replaces_each_operation_by_its_for_embedding() -> None:
    assert [type(one.augmentation) for one in plan(Crop(), Fade()).for_embedding().operations] == [Shift, Crop]


def test_geometry_only_keeps_what_leads() -> None:
    assert [one.name for one in plan(Crop(), Shift(), Fade(), Shift()).geometry_only().operations] == ["crop", "shift"]


@pytest.mark.parametrize(
    ("place", "operations", "on_host"),
    [
        ("host", [Crop(), Shift(), Fade()], 4),
        ("auto", [Crop(), Shift(), Fade()], 3),
        ("auto", [Fade(), Crop()], 0),
        ("device", [Crop(), Shift(), Fade()], 1),
        ("device", [Crop(), Shift(), Fade(), OnHost(), Fade()], 5),
    ],
)
def test_the_host_does_what_the_place_leaves_to_it(
    place: str, operations: list[sslreg.Augmentation], on_host: int
) -> None:
    made = plan(*operations, place=place)
    assert made.steps_on_host(torch.device("cpu")) == on_host
    assert made.steps_on_host(None) == len(made.steps)


def test_no_images_draw_nothing_in_any_view() -> None:
    drawn = plan(Fade()).draw_views(SampleKeys.of_samples(0, [], []), [0, 1], [])
    assert [[len(value) for one in steps for value in one.params.values()] for steps in drawn] == [[0], [0]]
