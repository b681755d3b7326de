"""The editor of views."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import sslreg
from sslreg import UserError
from sslreg_browser.view_editor import ViewEditor, edit_spec, require_moderate_size, require_views


@pytest.fixture
def editor(tmp_path: Path) -> ViewEditor:
    file = tmp_path / "mine.yaml"
    file.write_text("extends: digits-simclr\nversion: 1\nname: mine\n")
    return edit_spec(str(file))


def changed(editor: ViewEditor) -> list[Any]:
    """Return the views as a page sends them, with one change."""
    views: list[Any] = json.loads(json.dumps(editor.views))
    views[0]["augment"][1]["degrees"] = 30
    return views


@pytest.mark.parametrize("name", ["digits-simclr", "digits-dino", "folder-simclr", "imagenet-mae"])
def test_unchanged_views_leave_the_file_as_it_is(name: str) -> None:
    editor = edit_spec(name)
    assert editor.write(copy.deepcopy(editor.views), "other.yaml") == editor.spec.source


@pytest.mark.parametrize("name", ["digits-simclr", "digits-dino", "folder-simclr", "imagenet-ibot", "continue-dino"])
def test_any_views_can_be_changed(name: str) -> None:
    editor = edit_spec(name)
    views = json.loads(json.dumps(editor.views))
    views[0]["augment"].append({"use": "random_apply", "augment": [{"use": "horizontal_flip", "p": 0.25}]})
    spec = editor.load(editor.write(views, "other.yaml"))
    assert spec.to_dict()["views"] == views
    assert spec.name == "other"
    assert not spec.expect
    before, after = editor.spec.to_dict(), spec.to_dict()
    assert {key for key in before if before[key] != after.get(key)} <= {"views", "name", "expect"}


def test_a_spec_on_one_line_becomes_a_complete_copy(tmp_path: Path) -> None:
    file = tmp_path / "line.yaml"
    file.write_text("{extends: digits-simclr, version: 1, name: line}")
    editor = edit_spec(str(file))
    spec = editor.load(editor.write(changed(editor), "two.yaml"))
    assert spec.to_dict() == editor.spec.to_dict() | {"name": "two", "views": changed(editor)}


def test_the_difference_has_the_changed_lines() -> None:
    editor = edit_spec("digits-simclr")
    views = changed(editor)
    views[0]["augment"][2]["alpha"] = 30
    lines = editor.compare(editor.write(views))
    assert [line for line in lines if line.startswith("-")] == [
        "-        degrees: 15",
        "-      - {use: elastic, alpha: 20, sigma: 3}",
    ]
    assert "+      - {use: elastic, alpha: 30, sigma: 3}" in lines


def test_a_mistake_is_at_its_value(editor: ViewEditor) -> None:
    views = changed(editor)
    views[0]["augment"][3]["p"] = 2
    text = editor.write(views)
    with pytest.raises(UserError) as caught:
        editor.load(text)
    (mistake,) = editor.locate(text, caught.value.diagnostics)
    assert mistake["path"] == ["views", 0, "augment", 3, "p"]
    assert "p" in text.splitlines()[mistake["line"] - 1]
    assert mistake["severity"] == "error"


def test_a_saved_spec_is_valid_and_has_its_own_name(editor: ViewEditor) -> None:
    path = editor.save(changed(editor), editor.proposed_name)
    assert path == editor.folder / "mine-views.yaml"
    spec = sslreg.load_spec(path)
    assert spec.name == "mine-views"
    assert spec.to_dict()["views"] == changed(editor)
    assert editor.proposed_name == "mine-views2.yaml"


def test_a_file_is_replaced_only_on_request(editor: ViewEditor) -> None:
    before = editor.spec.source
    with pytest.raises(UserError, match="exists") as caught:
        editor.save(changed(editor), "mine.yaml")
    assert caught.value.diagnostics[0].code == "file-exists"
    assert (editor.folder / "mine.yaml").read_text() == before
    editor.save(changed(editor), "mine.yaml", overwrite=True)
    assert sslreg.load_spec(editor.folder / "mine.yaml").name == "mine"


@pytest.mark.parametrize(
    "name", ["../x.yaml", "/tmp/x.yaml", "a/b.yaml", "a\\b.yaml", ".yaml", "..yaml", "x.py", "x.yaml\n", "", "\0.yaml"]
)
def test_only_files_in_the_folder_are_written(editor: ViewEditor, name: str) -> None:
    before = sorted(editor.folder.iterdir())
    with pytest.raises(UserError, match="is not a name for a spec"):
        editor.save(changed(editor), name, overwrite=True)
    assert sorted(editor.folder.iterdir()) == before


def test_a_link_is_not_followed(editor: ViewEditor, tmp_path: Path) -> None:
    target = tmp_path / "target"
    (editor.folder / "link.yaml").symlink_to(target)
    with pytest.raises(UserError, match="a link or a folder"):
        editor.save(changed(editor), "link.yaml", overwrite=True)
    assert not target.exists()


@pytest.mark.parametrize("content", [None, {}, "views", [1], [[]]])
def test_a_request_without_views_is_refused(content: Any) -> None:
    with pytest.raises(UserError, match="not a list of views"):
        require_views(content)


@pytest.mark.parametrize(
    "changes",
    [
        {"repeat": 10**6},
        {"repeat": 10**400},
        {"augment": [{"use": "resize", "size": 20_000}]},
        {"augment": [{"use": "resize", "size": [16, 1e308]}]},
        {"augment": [{"use": "random_apply", "augment": [{"use": "resize", "size": 10**400}]}]},
    ],
)
def test_views_that_take_all_memory_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="too large to be shown"):
        require_moderate_size([{"repeat": 2, "augment": [], **changes}], 8)


def test_views_of_usual_sizes_are_shown() -> None:
    for name in ("imagenet-simclr", "imagenet-dinov2", "digits-simclr"):
        require_moderate_size(sslreg.load_spec(name).to_dict()["views"], 8)
    require_moderate_size([{}, {"repeat": None, "augment": [{"size": "x"}, {"size": float("nan")}, 3]}], 32)


@pytest.mark.parametrize("name", ["../../etc", "a/b: <c>", "...", "x" * 300])
def test_the_name_of_a_run_becomes_that_of_a_file(tmp_path: Path, name: str) -> None:
    editor = ViewEditor(sslreg.load_spec("digits-simclr"), tmp_path, name)
    assert editor.save(editor.views, editor.proposed_name).parent == tmp_path
