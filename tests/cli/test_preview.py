"""sslreg preview"""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_shipped_spec_is_previewed_without_options(cli) -> None:
    result = cli("preview", "digits-simclr")
    assert result.status == 0, result.err
    assert result.out == "digits-simclr-views.png: views of 8 images\n"
    with Image.open("digits-simclr-views.png") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["--html"], "digits-simclr-views.html"),
        (["--out", "a.html"], "a.html"),
        (["--html", "--out", "a.htm"], "a.htm"),
    ],
)
def test_a_page_is_selected_by_option_or_by_name(cli, arguments: list[str], file: str) -> None:
    assert cli("preview", "digits-simclr", "--samples", 2, *arguments).status == 0
    assert Path(file).read_text().count('class="sample"') == 2


def test_seed_epoch_and_params_reach_the_page(cli) -> None:
    cli("preview", "digits-simclr", "--html", "--seed", 7, "--epoch", 3, "--samples", 1, "--params")
    page = Path("digits-simclr-views.html").read_text()
    assert "in epoch 3 with seed 7" in page
    assert "affine: angle" in page


def test_a_page_with_the_suffix_of_an_image_is_refused(cli) -> None:
    result = cli("preview", "digits-simclr", "--html", "--out", "views.png")
    assert result.status == 2
    assert "does not end in .html" in result.err
    assert not Path("views.png").exists()


def test_unreadable_images_are_named_on_standard_error(cli, photos: Path) -> None:
    Path("mine").mkdir()
    Path("mine/whole.jpg").write_bytes((photos / "rgb.jpg").read_bytes())
    Path("mine/half.jpg").write_bytes((photos / "rgb.jpg").read_bytes()[:200])
    result = cli("preview", "folder-simclr", "--set", "data.train.root=mine", "--out", "views.png")
    assert result.status == 0
    assert "half.jpg cannot be shown" in result.err
    assert "whole" not in result.err


def test_missing_data_is_reported(cli) -> None:
    result = cli("preview", "folder-simclr", "--set", "data.train.root=nowhere")
    assert result.status == 2
    assert "nowhere" in result.err
    assert list(Path().iterdir()) == []
