import torch
from torch import Tensor

import sslreg
from sslreg.views import apply, apply_where


class Double(sslreg.Augmentation):
    """Takes a batch of one size and multiplies by a parameter of each image."""

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        assert isinstance(images, Tensor)
        return images * params["factor"][:, None, None, None]


class Trim(sslreg.Augmentation):
    ragged = True

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        return [image[:, :2] for image in images]


FACTORS = {"factor": torch.tensor([1.0, 2.0, 3.0])}


def test_a_batch_of_one_size_stays_a_batch() -> None:
    result = apply(Double(), torch.ones(3, 1, 2, 2), FACTORS)
    assert isinstance(result, Tensor)
    assert result[:, 0, 0, 0].tolist() == [1, 2, 3]


def test_images_of_several_sizes_go_through_an_operation_that_takes_one() -> None:
    images = [torch.ones(1, 2, 2), torch.ones(1, 3, 2), torch.ones(1, 2, 2)]
    result = apply(Double(), images, FACTORS)
    assert [float(image.mean()) for image in result] == [1, 2, 3]
    assert [image.shape for image in result] == [image.shape for image in images]


def test_a_list_becomes_a_batch_as_soon_as_sizes_agree() -> None:
    assert isinstance(apply(Trim(), [torch.ones(1, 2, 2), torch.ones(1, 3, 2)], {}), Tensor)


def test_only_masked_rows_change() -> None:
    mask = torch.tensor([True, False, True])
    images = torch.ones(3, 1, 2, 2)
    result = apply_where(mask, Double(), images, FACTORS)
    assert [float(image.mean()) for image in result] == [1, 1, 3]
    assert images.eq(1).all()
    assert apply_where(~mask & mask, Double(), images, FACTORS) is images


def test_rows_that_change_their_size_make_a_list_of_the_batch() -> None:
    images = torch.ones(3, 1, 4, 2)
    result = apply_where(torch.tensor([True, False, True]), Trim(), images, {})
    assert [tuple(image.shape) for image in result] == [(1, 2, 2), (1, 4, 2), (1, 2, 2)]
    assert isinstance(apply_where(torch.tensor([False, True, False]), Trim(), result, {}), Tensor)
