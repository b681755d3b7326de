"""Pictures, findings and plans of views that are edited."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sslreg
from sslreg_browser.live_views import LiveViews
from sslreg_browser.view_editor import ViewEditor, edit_spec

RESIZE = {"use": "resize", "size": 16}


@pytest.fixture(scope="module")
def editor() -> ViewEditor:
    return edit_spec("digits-simclr")


@pytest.fixture(scope="module")
def live(editor: ViewEditor) -> LiveViews:
    return LiveViews(editor)


def views_with(*operations: dict[str, Any]) -> list[Any]:
    return [{"repeat": 2, "augment": [RESIZE, *operations]}]


def decode(picture: dict[str, Any]) -> np.ndarray[Any, Any]:
    content = base64.b64decode(picture["src"].partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)), dtype=np.float64)


def test_pictures_are_those_of_a_preview(editor: ViewEditor, live: LiveViews) -> None:
    shown = live.show(editor.views, samples=2, epoch=3)
    expected = sslreg.preview(editor.spec, samples=2, epoch=3)
    assert shown["pictures"]["titles"] == expected.titles
    for row, wanted in zip(shown["pictures"]["rows"], expected.rows, strict=True):
        assert row["name"] == wanted.name
        for tile, of_preview in zip(row["tiles"], wanted.tiles, strict=True):
            assert tile["params"] == of_preview.params
            assert np.array_equal(decode(tile), np.asarray(of_preview.picture))
    assert json.loads(json.dumps(shown))


def test_a_new_operation_does_not_change_the_draws_of_the_others(live: LiveViews) -> None:
    affine = {"use": "affine", "degrees": 20}
    before = live.show(views_with(affine), samples=2)["pictures"]["rows"]
    after = live.show(views_with({"use": "horizontal_flip", "p": 0.5}, affine), samples=2)["pictures"]["rows"]

    def drawn(row: dict[str, Any]) -> str:
        return next(line for line in row["tiles"][0]["params"] if line.startswith("affine"))

    assert list(map(drawn, before)) == list(map(drawn, after))


def test_invariances_name_the_operations_that_induce_them(live: LiveViews) -> None:
    nested = {"use": "random_apply", "augment": [{"use": "gaussian_blur"}]}
    shown = live.show(views_with({"use": "solarize", "p": 0}, nested), samples=1)
    assert shown["invariances"] == {
        "texture": [{"use": "gaussian_blur", "path": ("views", 0, "augment", 2, "augment", 0)}]
    }


def test_an_invalid_spec_has_findings_instead_of_pictures(live: LiveViews) -> None:
    shown = live.show(views_with({"use": "affine"}), samples=1)
    assert shown["pictures"] is None
    (finding,) = shown["findings"]
    # In block style, an operation begins where its first key does.
    assert finding["path"] == ["views", 0, "augment", 1, "use"]
    assert "degrees" in finding["message"]


def test_views_that_cannot_be_made_have_findings_too(live: LiveViews) -> None:
    shown = live.show(views_with({"use": "center_crop", "size": 99}), samples=1)
    assert shown["pictures"] is None
    assert "center_crop" in shown["findings"][0]["message"]
    checked = live.check(views_with({"use": "center_crop", "size": 99}))
    assert checked["findings"][0]["path"] == ["views", 0, "augment", 1]


def test_an_unreadable_image_is_a_row_with_the_reason(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.new("RGB", (32, 32)).save(tmp_path / f"{name}.png")
    (tmp_path / "<b>broken.png").write_bytes(b"no image")
    file = tmp_path / "mine.yaml"
    file.write_text(f"extends: folder-simclr\nversion: 1\ndata: {{train: {{root: {tmp_path}}}}}\n")
    editor = edit_spec(str(file))
    rows = LiveViews(editor).show([{"repeat": 2, "augment": [RESIZE]}])["pictures"]["rows"]
    (broken,) = [row for row in rows if row["error"]]
    assert broken["name"] == "<b>broken.png"
    assert broken["original"] is None
    assert all(len(row["tiles"]) == 3 for row in rows if not row["error"])


def test_missing_images_are_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"extends: folder-simclr\nversion: 1\ndata: {{train: {{root: {tmp_path / 'none'}}}}}\n")
    editor = edit_spec(str(file))
    shown = LiveViews(editor).show(editor.views)
    assert shown["pictures"] is None
    assert "none" in shown["findings"][0]["message"]


def test_the_plan_has_the_time_of_each_stage(live: LiveViews) -> None:
    views = [*views_with(), {"as": None, "augment": [RESIZE, {"use": "grayscale"}]}]
    views[0]["repeat"] = 1
    first, second = live.plan(views, samples=1)["views"]
    assert [stage["operations"] for stage in second["stages"]] == [["resize"], ["round to 8 bits"], ["grayscale"]]
    for view in (first, second):
        assert view["milliseconds"] == pytest.approx(sum(stage["milliseconds"] for stage in view["stages"]))
        assert view["milliseconds"] > 0
