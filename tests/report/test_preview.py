"""Pictures of views, compared with the views that a training gets."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sslreg
from sslreg import Spec, SslregError, UserError
from sslreg.assembly import Builder, SampleDataset
from sslreg.report import Preview, Previewer, preview
from sslreg.report.drawing import TILE
from sslreg.spec import parse_spec
from sslreg.testing import temporary_components
from sslreg.testing.tiny_components import TinyModel

CROP = "{use: random_resized_crop, size: 8, scale: [0.5, 1.0]}"


class MultiCrop(TinyModel):
    """Global and local crops."""

    roles = {"global": (2, 2), "local": (0, None)}  # noqa: RUF012


def spec_of(
    augment: str, data: str = "{use: digits}", channels: int = 1, more: str = "", model: str = "simclr"
) -> Spec:
    return parse_spec(
        f"""
version: 1
name: shown
data: {{train: {data}, channels: {channels}, batch_size: 4}}
views:
  - repeat: 2
    augment: [{augment}]
{more}
model: {{use: {model}, backbone: {{use: convnet}}}}
loss: {{use: nt_xent}}
optimizer: {{use: sgd, lr: 0.1}}
trainer: {{max_epochs: 1}}
"""
    )


def pictures(made: Preview) -> np.ndarray:
    """(rows, views, H, W) or (rows, views, H, W, 3)"""
    return np.array([[np.asarray(tile.picture) for tile in row.tiles] for row in made.rows], dtype=np.float64)


def test_the_views_are_those_that_the_training_sees() -> None:
    spec = spec_of(f"{CROP}, {{use: color_jitter, brightness: 0.4}}")
    made = preview(spec, samples=5, epoch=3)
    data = SampleDataset(Builder(spec).build(spec.data.train))
    batch = sslreg.build_collate(spec)([data[3, int(row.name)] for row in made.rows])
    for number, view in enumerate(batch.views):
        assert pictures(made)[:, number] == pytest.approx((view[:, 0] * 255).round().numpy())


def test_the_original_comes_as_it_is_read() -> None:
    made = preview(spec_of(CROP), samples=3)
    digits = sslreg.build("dataset", "digits")
    for row in made.rows:
        image, target = digits[int(row.name)]
        assert np.array_equal(np.asarray(row.original), image[0])
        assert row.label == str(target)


def test_seed_chooses_images_and_views_and_epoch_the_views_alone() -> None:
    spec = spec_of(CROP)
    one, same, later, other = (preview(spec, 4, seed, epoch) for seed, epoch in ((0, 0), (None, 0), (0, 1), (1, 0)))
    assert np.array_equal(pictures(one), pictures(same))
    assert [row.name for row in later.rows] == [row.name for row in one.rows]
    assert not np.array_equal(pictures(one)[:, :2], pictures(later)[:, :2])
    assert np.array_equal(pictures(one)[:, 2], pictures(later)[:, 2]), "the embedding view is not random"
    assert [row.name for row in other.rows] != [row.name for row in one.rows]


@pytest.mark.parametrize("p", [1.0, 0.5])
def test_normalizing_is_undone(photos: Path, p: float) -> None:
    augment = "{use: random_resized_crop, size: 24}, {use: color_jitter, hue: 0.2, contrast: 0.5}"
    data = f"{{use: image_folder, root: {photos}}}"
    plain = preview(spec_of(augment, data, 3))
    normalized = preview(spec_of(f"{augment}, {{use: normalize, stats: imagenet, p: {p}}}", data, 3))
    assert np.abs(pictures(plain) - pictures(normalized)).max() <= 1
    assert normalized.notes == []


def test_normalizing_of_others_is_undone_too() -> None:
    def shifted(image: torch.Tensor) -> torch.Tensor:
        return image * 3 - 7

    with temporary_components(augmentation={"shifted": lambda: shifted}):
        made = preview(spec_of(f"{CROP}, {{use: shifted}}"))
    assert np.abs(pictures(made)[:, :2] - pictures(preview(spec_of(CROP)))[:, :2]).max() <= 1
    assert made.notes == []


def test_levels_that_cannot_be_brought_back_are_stretched_and_said_so() -> None:
    def standardized(image: torch.Tensor) -> torch.Tensor:
        return (image - image.mean()) / (image.std() + 1e-6)

    with temporary_components(augmentation={"standardized": lambda: standardized}):
        made = preview(spec_of(f"{CROP}, {{use: standardized}}"))
    assert [(int(view.min()), int(view.max())) for row in pictures(made) for view in row[:2]] == [(0, 255)] * 16
    (note,) = made.notes
    assert "stretched" in note
    assert "view 1, 2 of 2" in note
    assert "embedding" not in note


class Layers(sslreg.Dataset):
    """Images in which each channel has another level."""

    def __init__(self, channels: int) -> None:
        self.channels = channels

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.arange(50, 50 + self.channels, dtype=torch.uint8)[:, None, None].expand(-1, 8, 8)


@pytest.mark.parametrize(
    ("channels", "color", "said"), [(5, [50, 51, 52], "first three"), (2, [50, 51, 0], "red and green")]
)
def test_other_numbers_of_channels_are_false_color_and_said_so(channels: int, color: list[int], said: str) -> None:
    with temporary_components(dataset={"layers": Layers}):
        made = preview(spec_of(CROP, f"{{use: layers, channels: {channels}}}", channels), samples=2)
    assert np.asarray(made.rows[0].original)[0, 0].tolist() == color
    assert pictures(made)[0, 0, 0, 0].tolist() == color
    assert len(made.notes) == 1
    assert said in made.notes[0]


@pytest.fixture
def broken_photos(photos: Path, tmp_path: Path) -> Path:
    """A folder with an image that can be read and one that cannot, named to cause trouble."""
    root = tmp_path / "mine"
    root.mkdir()
    (root / "whole.jpg").write_bytes((photos / "rgb.jpg").read_bytes())
    (root / "<script>alert(1)<.png").write_bytes(b"no image at all")
    return root


def test_a_broken_image_is_named_and_the_others_are_shown(broken_photos: Path) -> None:
    made = preview(spec_of(CROP, f"{{use: image_folder, root: {broken_photos}}}", 3))
    whole, broken = sorted(made.rows, key=lambda row: row.error is not None)
    assert (whole.name, len(whole.tiles)) == ("whole.jpg", 3)
    assert broken.name == "<script>alert(1)<.png"
    assert "cannot be read" in str(broken.error)
    assert made.picture().width > 3 * TILE


def test_images_of_which_none_can_be_read_are_an_error(broken_photos: Path) -> None:
    (broken_photos / "whole.jpg").unlink()
    with pytest.raises(UserError, match="none of 1 images can be read"):
        preview(spec_of(CROP, f"{{use: image_folder, root: {broken_photos}}}", 3))


def test_views_that_do_not_fit_the_images_are_an_error(photos: Path) -> None:
    spec = spec_of("{use: horizontal_flip}", f"{{use: image_folder, root: {photos}}}", 3)
    with pytest.raises(UserError, match="have to agree in size"):
        preview(spec)


SMALL = """  - repeat: 3
    augment: [{use: random_resized_crop, size: 4}]"""


def test_views_of_several_sizes_are_shown_to_scale() -> None:
    made = preview(spec_of(CROP, more=SMALL), samples=2)
    assert made.titles == [
        "view 1, 1 of 2",
        "view 1, 2 of 2",
        *(f"view 2, {number} of 3" for number in (1, 2, 3)),
        "embedding view",
    ]
    widths = re.findall(r'width="(\d+)" height="\1" alt="(.*?)"', made.page())
    assert {alt.split(",")[0]: int(width) for width, alt in widths} == {
        "original": 144,
        "view 1": 144,
        "view 2": 72,
        "embedding view": 144,
    }


def test_titles_name_the_roles_of_views() -> None:
    with temporary_components(model={"multi_crop": MultiCrop}):
        spec = spec_of(CROP, more=SMALL.replace("- repeat", "- as: local\n    repeat"), model="multi_crop")
        titles = preview(spec, samples=1).titles
    assert titles == [
        "view 1 (global), 1 of 2",
        "view 1 (global), 2 of 2",
        *(f"view 2 (local), {number} of 3" for number in (1, 2, 3)),
        "embedding view",
    ]


def test_what_was_drawn_is_written_under_each_view() -> None:
    spec = spec_of(f"{CROP}, {{use: horizontal_flip, p: 0.5}}, {{use: color_jitter, brightness: [0.5, 0.5]}}")
    made = preview(spec, samples=8)
    crop, flip, jitter = made.rows[0].tiles[0].params
    assert re.fullmatch(r"random_resized_crop: top \d, left \d, height \d, width \d", crop)
    assert {tile.params[1] for row in made.rows for tile in row.tiles[:2]} == {
        "horizontal_flip: applied",
        "horizontal_flip: not applied",
    }
    assert re.fullmatch(r"color_jitter: order \(\d, \d, \d, \d\), brightness 0.5", jitter)
    assert flip in made.page(params=True)
    assert flip not in made.page()
    assert made.picture(params=True).height > made.picture().height


def test_seeds_are_shortened_and_fields_left_out() -> None:
    class Field(sslreg.Augmentation):
        def draw(self, keys: sslreg.Keys, shapes: torch.Tensor) -> sslreg.Params:
            return {"seed": keys.seeds(), "field": keys.uniform(size=(8, 8)), "zero": torch.full((len(keys),), -0.0)}

        def apply(self, images: torch.Tensor, params: sslreg.Params) -> torch.Tensor:
            return images

    with temporary_components(augmentation={"waves": Field}):
        line = preview(spec_of(f"{CROP}, {{use: waves}}"), 1).rows[0].tiles[0].params[-1]
    assert re.fullmatch(r"waves: seed \S{,9}, field of 64 numbers, zero 0", line)


def test_a_page_escapes_names_and_asks_for_nothing(broken_photos: Path) -> None:
    page = preview(spec_of(CROP, f"{{use: image_folder, root: {broken_photos}}}", 3)).page(params=True)
    assert "&lt;script&gt;alert(1)&lt;.png" in page
    assert "<script" not in page
    assert set(re.findall(r'(?:src|href)="(\w+:)', page)) == {"data:"}
    assert not re.search(r"https?:", page)


def test_a_picture_is_written_in_the_format_of_its_name(tmp_path: Path) -> None:
    made = preview(spec_of(CROP), samples=2)
    made.save(tmp_path / "views.png")
    made.save(tmp_path / "views.jpg")
    made.save(tmp_path / "views.html")
    for name, kind in (("views.png", "PNG"), ("views.jpg", "JPEG")):
        with Image.open(tmp_path / name) as image:
            assert (image.format, image.size) == (kind, made.picture().size)
    assert (tmp_path / "views.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["views.png", "views.html"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(SslregError, match=f"{name} cannot be written: it exists and is not a regular file"):
        preview(spec_of(CROP), samples=1).save(tmp_path / name)


@pytest.mark.parametrize("name", ["views", "views.txt", "no/such/folder/views.png"])
def test_a_name_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError):
        preview(spec_of(CROP), samples=1).save(tmp_path / name)


JITTER = "{use: color_jitter, brightness: 0.4}"


@pytest.mark.parametrize(("decode", "most"), [(False, 0.0), (True, 4.0)])
def test_a_previewer_makes_the_same_pictures_as_a_preview(photos: Path, decode: bool, most: float) -> None:
    data = f"{{use: image_folder, root: {photos}}}"
    first, second = (spec_of(f"{CROP}, {operation}", data, 3) for operation in (JITTER, "{use: horizontal_flip}"))
    previewer = Previewer(first, samples=3, seed=1, epoch=2, decode=decode)
    for spec in (first, second, first):
        made, expected = previewer.preview(spec), preview(spec, samples=3, seed=1, epoch=2)
        assert [row.name for row in made.rows] == [row.name for row in expected.rows]
        # Without reduced decoding, the resized crops differ by rounding.
        assert np.abs(pictures(made) - pictures(expected)).mean() <= most
        assert made.rows[0].tiles[0].params == expected.rows[0].tiles[0].params


def test_a_previewer_keeps_the_views_that_do_not_change() -> None:
    more = "  - as: local\n    augment: [{}, {{use: color_jitter, brightness: {}}}]\n"
    with temporary_components(model={"multi_crop": MultiCrop}):
        first, second = (
            spec_of(CROP, more=more.format(CROP, brightness), model="multi_crop") for brightness in (0.1, 0.4)
        )
        previewer = Previewer(first, samples=2)
        before, after = previewer.preview(first).rows[0].tiles, previewer.preview(second).rows[0].tiles
    assert [old.picture is new.picture for old, new in zip(before, after, strict=True)] == [True, True, False, True]


def test_a_previewer_measures_each_stage_of_each_kind_of_view() -> None:
    spec = spec_of(f"{CROP}, {JITTER}")
    (times,) = Previewer(spec, samples=2).measure(spec, repeats=1)
    assert len(times) == 3  # with the rounding
    assert all(time > 0 for time in times)
