"""Pictures of patch features in a report."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.decomposition import PCA

from sslreg import Run
from sslreg.report.embedded_images import Picture
from sslreg.report.patch_pictures import color_components, draw_patches


def make_patches() -> torch.Tensor:
    """Return features of the patches of three images, most of whose variance is in few directions."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 4, 5, 8, generator=generator) * torch.tensor([4.0, 3.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.1])


def test_colors_are_principal_components_between_quantiles() -> None:
    patches = make_patches()
    components = PCA(3, svd_solver="full").fit_transform(patches.flatten(0, 2).double().numpy())
    low, high = np.quantile(components, [0.02, 0.98], axis=0)
    expected = np.clip((components - low) / (high - low), 0, 1).reshape(3, 4, 5, 3)
    np.testing.assert_allclose(color_components(patches).permute(0, 2, 3, 1), expected, atol=1e-6)


def test_colors_do_not_depend_on_the_order_of_patches() -> None:
    patches = make_patches()
    torch.testing.assert_close(color_components(patches.flip(0, 1)), color_components(patches).flip(0, 2))


def test_features_without_variance_are_gray() -> None:
    assert color_components(torch.full((2, 3, 3, 5), 0.1)).unique().tolist() == [0.5]
    narrow = color_components(make_patches()[..., :1])
    assert narrow[:, 0].unique().numel() > 10
    assert narrow[:, 1:].unique().tolist() == [0.5]


def test_every_image_has_a_picture_of_its_patches_and_of_the_attention(patch_run: Run) -> None:
    pictures = [Picture(index, str(index), None, Image.new("L", (8, 8))) for index in (3, 7)]
    drawn = draw_patches(patch_run, "test", pictures)
    again = draw_patches(patch_run, "test", pictures)
    assert drawn is not None
    assert drawn == again
    for entry, index in zip(drawn, (3, 7), strict=True):
        image = patch_run.split("test")[index].image
        view = (patch_run.preprocess()(image) * 0.5 + 0.5) * 255
        np.testing.assert_allclose(np.asarray(entry.view), view[0], atol=0.51)
        assert (entry.trained.size, entry.trained.mode, entry.initial.size) == ((4, 4), "RGB", (4, 4))
        assert entry.attention is not None
        assert (entry.attention.size, entry.attention.getextrema()[1]) == ((4, 4), 255)


def test_a_backbone_without_patches_has_no_pictures(tiny_run: Run) -> None:
    assert draw_patches(tiny_run, "test", [Picture(0, "0", None, Image.new("L", (8, 8)))]) is None


def test_the_section_is_there_only_if_a_run_has_patches(with_patches: Path, one: Path) -> None:
    page = with_patches.read_text(encoding="utf-8")
    section = page[page.index('<section id="patches">') : page.index('<section id="invariance">')]
    assert len(re.findall(r'alt="colors of the patches of \d+, trained"', section)) == 6
    assert len(re.findall(r'alt="attention of the patches of \d+, trained"', section)) == 6
    assert "Not shown: the backbone has no patches" in section
    assert 'href="#patches"' in page
    assert 'id="patches"' not in one.read_text(encoding="utf-8")
