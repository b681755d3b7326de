"""Views of photographs that are decoded in part equal those of full decoding within a tolerance."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor

import sslreg
from sslreg import Batch, Collate, DeferredBatch, Operation, Part, Sample, ViewPlan, WithProbability
from sslreg.images import EncodedImage
from sslreg.registry import installed
from sslreg.views import DeferredView, Draw
from sslreg_readers import jpeg as jpeg_reader

pytest.importorskip("simplejpeg")
pytest.importorskip("numba")


def operation(name: str, p: float = 1.0, **parameters: Any) -> Operation:
    one = installed().get("augmentation", name).load()(**parameters)
    return Operation(name, WithProbability(one, p) if p < 1.0 else one)


def view(size: int, scale: tuple[float, float] = (0.3, 1.0)) -> ViewPlan:
    return ViewPlan([operation("random_resized_crop", size=size, scale=scale), operation("horizontal_flip", 0.5)])


def jpeg(photo: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=92)
    return file.getvalue()


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """The two photographs of scikit-learn, 640x427, eight times each."""
    return [jpeg(photo) for photo in load_sample_images().images] * 8


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The reduction of each file that is decoded, in order."""
    seen: list[int] = []
    decode = EncodedImage.decode

    def recorded(self: EncodedImage, reduction: int = 1) -> Tensor:
        seen.append(reduction)
        return decode(self, reduction)

    monkeypatch.setattr(EncodedImage, "decode", recorded)
    return seen


def samples(images: list[Any]) -> list[Sample]:
    return [Sample(image, None, n, 0) for n, image in enumerate(images)]


def views_of(collate: Collate, images: list[Any]) -> Batch:
    batch = collate(samples(images))
    return batch.finish("cpu") if isinstance(batch, DeferredBatch) else batch


@pytest.mark.parametrize(("size", "reduction"), [(24, 4), (48, 2)])
def test_a_view_is_that_of_all_pixels_within_a_tolerance(
    files: list[bytes], size: int, reduction: int, decoded: list[int]
) -> None:
    collate = Collate([view(size)] * 2)
    reduced = views_of(collate, files)
    assert max(decoded) >= reduction
    whole = views_of(collate, [sslreg.load_image(file) for file in files])
    difference = 255 * (torch.stack(reduced.views) - torch.stack(whole.views)).abs()
    assert 0.0 < difference.mean() < 0.5
    assert difference.mean(dim=(2, 3, 4)).max() < 1.5
    assert (difference > 8).float().mean() < 1e-3
    assert difference.max() < 32


def test_what_is_drawn_stays_what_it_is(files: list[bytes]) -> None:
    collate = Collate([view(24)] * 2, keep_params=True)
    reduced = views_of(collate, files)
    whole = views_of(collate, [sslreg.load_image(file) for file in files])
    assert reduced.params is not None
    assert whole.params is not None
    for ours, theirs in zip(reduced.params, whole.params, strict=True):
        assert all(torch.equal(ours[name][key], theirs[name][key]) for name in ours for key in ours[name])


def test_a_file_is_reduced_as_far_as_its_smallest_crop_allows(files: list[bytes], decoded: list[int]) -> None:
    collate = Collate([view(40, (0.1, 1.0)), view(24)], keep_params=True)
    batch = views_of(collate, files)
    assert batch.params is not None
    for n, reduction in enumerate(decoded):
        sides = [
            int(params["random_resized_crop"][side][n]) // (2 * size)
            for params, size in zip(batch.params, (40, 24), strict=True)
            for side in ("height", "width")
        ]
        assert reduction == max(one for one in (1, 2, 4, 8) if one <= max(min(sides), 1))
    assert len(set(decoded)) > 1


@pytest.mark.parametrize(
    "other",
    [
        ViewPlan([operation("horizontal_flip", 0.5), operation("resize", size=(24, 24))]),
        ViewPlan([operation("random_resized_crop", size=24, interpolation="bicubic")]),
        view(300),
    ],
)
def test_a_view_that_needs_all_pixels_gets_them(files: list[bytes], other: ViewPlan, decoded: list[int]) -> None:
    views_of(Collate([view(24), other]), files[:2])
    assert decoded == [1, 1]


def test_host_and_device_share_the_decoded_image(files: list[bytes]) -> None:
    here, there = Collate([view(24)] * 2), Collate([view(24)] * 2, device="cpu")
    assert torch.equal(views_of(here, files).views[1], views_of(there, files).views[1])


def test_a_view_does_not_depend_on_the_batch(files: list[bytes]) -> None:
    collate = Collate([view(24)])
    together = views_of(collate, files).views[0]
    alone = collate([samples(files)[3]])
    assert isinstance(alone, Batch)
    assert torch.equal(alone.views[0][0], together[3])


def test_a_truncated_file_is_replaced_and_listed(files: list[bytes]) -> None:
    assert_the_first_is_replaced_and_listed([files[0][: len(files[0]) // 2], *files[:3]])


def assert_the_first_is_replaced_and_listed(broken: list[bytes]) -> None:
    with pytest.raises(sslreg.UserError, match="truncated"):
        views_of(Collate([view(24)]), broken)
    batch = views_of(Collate([view(24)], on_error="skip"), broken)
    assert batch.indices.tolist() == [1, 1, 2, 3]
    assert [one.index for one in batch.extras["skipped"]] == [0]


# Large ones, of which parts are decoded


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[list[Part]]:
    """The parts of each file that are decoded, in order; every file counts as large."""
    monkeypatch.setattr(jpeg_reader, "_LARGE", 0)
    seen: list[list[Part]] = []
    decode_parts = EncodedImage.decode_parts

    def recorded(self: EncodedImage, parts: list[Part]) -> list[Tensor] | None:
        seen.append(parts)
        return decode_parts(self, parts)

    monkeypatch.setattr(EncodedImage, "decode_parts", recorded)
    return seen


@pytest.mark.parametrize(("size", "reduction"), [(24, 4), (48, 2)])
def test_a_view_of_a_part_is_that_of_all_pixels_within_a_tolerance(
    files: list[bytes], size: int, reduction: int, parts: list[list[Part]], decoded: list[int]
) -> None:
    collate = Collate([view(size)] * 2)
    reduced = views_of(collate, files)
    assert max(part.reduction for both in parts for part in both) >= reduction
    assert len(parts) + decoded.count(1) >= len(files)
    whole = views_of(collate, [sslreg.load_image(file) for file in files])
    difference = 255 * (torch.stack(reduced.views) - torch.stack(whole.views)).abs()
    assert 0.0 < difference.mean() < 0.5
    assert difference.mean(dim=(2, 3, 4)).max() < 1.5
    assert (difference > 8).float().mean() < 1e-3
    assert difference.max() < 32


def test_each_view_has_its_own_part_and_reduction(
    files: list[bytes], parts: list[list[Part]], decoded: list[int]
) -> None:
    batch = views_of(Collate([view(24), view(40, (0.5, 1.0))], keep_params=True), files)
    assert batch.params is not None
    assert decoded == []
    crops = [params["random_resized_crop"] for params in batch.params]
    for n, both in enumerate(parts):
        for part, crop, size in zip(both, crops, (24, 40), strict=True):
            top, left, height, width = (int(crop[name][n]) for name in ("top", "left", "height", "width"))
            enough = min(height, width) // (2 * size)
            assert part.reduction == max(one for one in (2, 4, 8) if one <= enough)
            assert part.top * part.reduction <= top < (part.top + 1) * part.reduction
            assert part.left * part.reduction <= left < (part.left + 1) * part.reduction
            assert 0 <= (part.top + part.height) * part.reduction - (top + height) < part.reduction
            assert 0 <= (part.left + part.width) * part.reduction - (left + width) < part.reduction
    assert len({both[0].reduction for both in parts}) > 1


@pytest.mark.usefixtures("parts")
def test_a_view_of_a_part_depends_neither_on_the_batch_nor_on_other_views(files: list[bytes]) -> None:
    together = views_of(Collate([view(24), view(24), view(40, (0.5, 1.0))]), files)
    alone = Collate([view(24)])([samples(files)[3]])
    assert isinstance(alone, Batch)
    assert torch.equal(alone.views[0][0], together.views[0][3])


@pytest.mark.usefixtures("parts")
def test_host_and_device_share_the_decoded_parts(files: list[bytes]) -> None:
    here, there = Collate([view(24)] * 2), Collate([view(24)] * 2, device="cpu")
    assert torch.equal(views_of(here, files).views[1], views_of(there, files).views[1])


def test_where_a_view_needs_all_pixels_no_parts_are_decoded(
    files: list[bytes], parts: list[list[Part]], decoded: list[int]
) -> None:
    views_of(Collate([view(24), view(300)]), files[:2])
    assert (parts, decoded) == ([], [1, 1])


@pytest.mark.usefixtures("parts")
def test_large_files_of_other_kinds_are_decoded_as_a_whole(decoded: list[int]) -> None:
    file = io.BytesIO()
    Image.fromarray(load_sample_images().images[0]).save(file, "JPEG", progressive=True)
    views_of(Collate([view(24)] * 2), [file.getvalue()])
    assert len(decoded) == 1


@pytest.mark.usefixtures("parts")
def test_large_files_are_decoded_as_a_whole_where_nothing_can_be_compiled(
    files: list[bytes], decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jpeg_reader, "_baseline_decoder", lambda: None)
    views_of(Collate([view(24)] * 2), files)
    assert len(decoded) == len(files)


@pytest.mark.usefixtures("parts")
def test_a_large_truncated_file_is_replaced_and_listed(files: list[bytes]) -> None:
    assert_the_first_is_replaced_and_listed([files[0][: len(files[0]) // 2], *files[:3]])


# A crop with a probability


CROP_WITH_PROBABILITY = ViewPlan(
    [operation("random_resized_crop", 0.7, size=24, scale=(0.3, 1.0)), operation("resize", size=(24, 24))]
)


@pytest.mark.parametrize("large", [False, True])
def test_only_images_that_a_crop_is_not_applied_to_are_decoded_in_full(
    files: list[bytes], large: bool, decoded: list[int], request: pytest.FixtureRequest
) -> None:
    parts: list[list[Part]] = request.getfixturevalue("parts") if large else []
    collate = Collate([view(24), CROP_WITH_PROBABILITY], keep_params=True)
    reduced = views_of(collate, files)
    assert reduced.params is not None
    applied = reduced.params[1]["random_resized_crop"]["applied"]
    assert decoded.count(1) == len(files) - applied.sum()
    assert len(parts) == (applied.sum() if large else 0)
    whole = views_of(collate, [sslreg.load_image(file) for file in files])
    difference = 255 * (torch.stack(reduced.views) - torch.stack(whole.views)).abs()
    assert difference[:, ~applied].max() == 0
    assert 0.0 < difference.mean() < 0.5
    assert difference.mean(dim=(2, 3, 4)).max() < 1.5
    assert (difference > 8).float().mean() < 1e-3
    assert difference.max() < 32


# Custom collates


class Flipping(Collate):
    def load(self, sample: Sample) -> Tensor:
        pixels = sslreg.load_image(sample.image, self.channels, self.readers)
        assert pixels.shape == (3, 427, 640)
        return pixels.flip(-1)


def test_a_custom_load_that_returns_pixels_is_given_whole_images(files: list[bytes], decoded: list[int]) -> None:
    assert len(views_of(Flipping([view(24)]), files)) == len(files)
    assert set(decoded) == {1}


class Counting(Collate):
    """Overrides everything, and leaves images undecoded."""

    def load(self, sample: Sample) -> Any:
        image = super().load(sample)
        assert image.shape == (3, 427, 640)
        return image

    def make_view(self, number: int, images: sslreg.Images, draws: list[Draw]) -> DeferredView:
        made = super().make_view(number, images, draws)
        made.images = made.images[:, [2, 1, 0]]  # type: ignore[call-overload]
        return made


def test_a_custom_collate_takes_the_same_path_as_any_other(files: list[bytes], decoded: list[int]) -> None:
    custom, plain = views_of(Counting([view(24)]), files), views_of(Collate([view(24)]), files)
    assert torch.equal(custom.views[0], plain.views[0].flip(1))
    assert decoded[: len(files)] == decoded[len(files) :]
    assert max(decoded) > 1


def test_a_truncated_file_does_not_change_how_others_are_decoded(files: list[bytes], decoded: list[int]) -> None:
    broken = [files[0][: len(files[0]) // 2], *files[:3]]
    skipping = views_of(Collate([view(24)], on_error="skip"), broken)
    assert min(decoded) > 1
    alone = Collate([view(24)])([samples(broken)[2]])
    assert isinstance(alone, Batch)
    assert torch.equal(skipping.views[0][2], alone.views[0][0])
