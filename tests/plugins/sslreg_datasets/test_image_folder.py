import contextlib
import os
import socket
from pathlib import Path

import pytest
from PIL import Image
from torchvision import datasets

import sslreg
from sslreg import load_image
from sslreg_datasets.image_folder import ImageFolder


def save(path: Path, mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (4, 3)).save(path)


@pytest.fixture
def labeled(tmp_path: Path) -> Path:
    for name in ("zebra/2.png", "zebra/deep/er/1.jpg", "ant/b.bmp", "ant/a.webp"):
        save(tmp_path / name)
    return tmp_path


def names(folder: ImageFolder) -> list[str]:
    return [folder.name(index) for index in range(len(folder))]


def test_images_come_in_the_order_of_their_paths(labeled: Path) -> None:
    assert names(ImageFolder(str(labeled))) == ["ant/a.webp", "ant/b.bmp", "zebra/2.png", "zebra/deep/er/1.jpg"]


def test_an_item_is_a_path_and_the_class_of_its_first_level_folder(labeled: Path) -> None:
    folder = ImageFolder(str(labeled))
    assert folder.classes == ["ant", "zebra"]
    assert folder[3] == (str(labeled / "zebra/deep/er/1.jpg"), 1)
    assert [target for _, target in folder] == [0, 0, 1, 1]


def test_folders_whose_names_begin_alike_are_classes_of_their_own(tmp_path: Path) -> None:
    for name in ("a/1.png", "a-b/2.png", "a/c/3.png", "a0/4.png", "é/5.png"):
        save(tmp_path / name)
    folder = ImageFolder(str(tmp_path))
    assert folder.classes == ["a", "a-b", "a0", "é"]
    assert [(folder.name(index), target) for index, (_, target) in enumerate(folder)] == [
        ("a-b/2.png", 1),
        ("a/1.png", 0),
        ("a/c/3.png", 0),
        ("a0/4.png", 2),
        ("é/5.png", 3),
    ]


def test_without_labels_targets_are_none(labeled: Path) -> None:
    folder = ImageFolder(str(labeled), labels="none")
    assert folder.classes is None
    assert folder[0] == (str(labeled / "ant/a.webp"), None)


def test_an_image_outside_of_subfolders_leaves_all_unlabelled(labeled: Path) -> None:
    save(labeled / "loose.png")
    folder = ImageFolder(str(labeled))
    assert folder.classes is None
    assert len(folder) == 5


def test_one_subfolder_is_no_labelling_unless_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "all/1.png")
    assert ImageFolder(str(tmp_path)).classes is None
    assert ImageFolder(str(tmp_path), labels="folders").classes == ["all"]


def test_demanded_labels_name_the_image_that_has_none(labeled: Path) -> None:
    save(labeled / "loose.png")
    with pytest.raises(ValueError, match=r"loose\.png' lies in no subfolder .* labels: none"):
        ImageFolder(str(labeled), labels="folders")


@pytest.mark.parametrize("name", ["a.JPG", "b.jpeg", "c.Tiff", "d.gif", "e.ppm", "f.jp2", "g.png", "h.tga"])
def test_extensions_are_those_that_pillow_reads_in_any_case(tmp_path: Path, name: str) -> None:
    save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    assert names(ImageFolder(str(tmp_path))) == [name]


def test_formats_that_pillow_only_recognizes_are_no_images() -> None:
    assert {".mpg", ".pdf", ".h5", ".grib"}.isdisjoint(sslreg.image_extensions())


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    for name in (".a.png", ".cache/b.png", "c.png"):
        save(tmp_path / name)
    assert names(ImageFolder(str(tmp_path))) == ["c.png"]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    save(tmp_path / "elsewhere/1.png")
    root = tmp_path / "root"
    save(root / "own/2.png")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "own/back").symlink_to(root)
    assert names(ImageFolder(str(root))) == ["linked/1.png", "own/2.png"]


def test_names_beyond_ascii_survive(tmp_path: Path) -> None:
    save(tmp_path / "größe 大.png")
    assert names(ImageFolder(str(tmp_path))) == ["größe 大.png"]


def test_an_empty_folder_is_an_error_that_says_what_counts(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(ValueError, match=r"no image in .*\.jpg, \.png"):
        ImageFolder(str(tmp_path))


def test_a_missing_folder_is_an_error_that_says_where_the_path_ends(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match=r"photos exists, 2024/summer does not"):
        ImageFolder(str(tmp_path / "photos/2024/summer"))


def test_a_relative_root_is_reported_with_its_meaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=rf"no folder 'photos' \(that is, {tmp_path}/photos\)"):
        ImageFolder("photos")


def test_a_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    with pytest.raises(ValueError, match="is a file; root has to be the folder"):
        ImageFolder(str(tmp_path / "1.png"))


def test_the_home_directory_may_be_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "photos/1.png")
    assert ImageFolder("~/photos")[0][0] == os.path.join(tmp_path, "photos", "1.png")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_an_error(labeled: Path) -> None:
    (labeled / "ant").chmod(0)
    with pytest.raises(ValueError, match=r"cannot list '.*ant': Permission denied"):
        ImageFolder(str(labeled))


def test_labels_are_those_of_torchvisions_image_folder(labeled: Path) -> None:
    ours, theirs = ImageFolder(str(labeled)), datasets.ImageFolder(str(labeled))
    assert ours.classes == theirs.classes
    assert sorted(ours[index] for index in range(len(ours))) == sorted(theirs.samples)


def test_fifos_sockets_and_devices_are_skipped_and_counted(
    labeled: Path, caplog: pytest.LogCaptureFixture, time_limit: None
) -> None:
    expected = names(ImageFolder(str(labeled)))
    os.mkfifo(labeled / "ant" / "fifo.png")
    (labeled / "ant" / "link.png").symlink_to(labeled / "ant" / "fifo.png")
    (labeled / "ant" / "zero.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(labeled / "ant"):
        server.bind("socket.jpg")
        folder = ImageFolder(str(labeled))
    assert names(folder) == expected
    assert "4 entries" in caplog.text
    assert "fifo.png" in caplog.text
    assert [load_image(folder[index][0]).shape for index in range(len(folder))] == [(3, 3, 4)] * 4


def test_a_folder_of_fifos_alone_has_no_image(tmp_path: Path, time_limit: None) -> None:
    os.mkfifo(tmp_path / "fifo.png")
    with pytest.raises(ValueError, match="no image in"):
        ImageFolder(str(tmp_path))


def test_a_link_to_nothing_is_a_missing_image(labeled: Path) -> None:
    (labeled / "ant" / "0.png").symlink_to("nowhere.png")
    with pytest.raises(sslreg.UserError, match=r"0\.png: there is no such file"):
        load_image(ImageFolder(str(labeled))[0][0])


def test_files_with_other_extensions_are_counted(labeled: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("notes.txt", "ant/labels.TXT", "zebra/raw.nef", "zebra/README", ".hidden.txt"):
        (labeled / name).write_text("")
    assert len(ImageFolder(str(labeled))) == 4
    assert "4 files of" in caplog.text
    assert "are skipped because of their extensions: 2 .txt, 1 " in caplog.text
    assert "1 .nef" in caplog.text
    assert "1 without one" in caplog.text


def test_a_pattern_finds_labels_and_groups_in_names(tmp_path: Path) -> None:
    for name in ("10_p1.png", "x/9_p2.png", "10_p2.png"):
        save(tmp_path / name)
    folder = ImageFolder(str(tmp_path), pattern=r"(?P<label>\d+)_(?P<group>p\d)\.png$")
    assert names(folder) == ["10_p1.png", "10_p2.png", "x/9_p2.png"]
    assert folder.classes == ["9", "10"]
    assert [target for _, target in folder] == [1, 1, 0]
    assert [folder.group(index) for index in range(3)] == ["p1", "p2", "p2"]


def test_a_pattern_may_add_groups_to_labels_of_folders(labeled: Path) -> None:
    folder = ImageFolder(str(labeled), pattern=r"(?P<group>\w)\.\w+$")
    assert folder.classes == ["ant", "zebra"]
    assert [folder.group(index) for index in range(4)] == ["a", "b", "2", "1"]
    assert ImageFolder(str(labeled)).group(0) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pattern": r"(?P<label>[a-z]+)_"}, r"4 of 4 images in .* have no label by the pattern .*; the first is 'ant"),
        ({"pattern": r"(?P<label>z)?\w+\."}, r"4 of 4 images in .* have no label"),
        ({"pattern": "zebra"}, r"has no group named label or group; write \(\?P<label>"),
        ({"pattern": "("}, r"pattern '\(' is not a regular expression: missing \)"),
        ({"pattern": "(?P<label>z)", "labels": "folders"}, "so labels: folders cannot hold"),
    ],
)
def test_a_pattern_that_does_not_fit_is_refused(labeled: Path, changes: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageFolder(str(labeled), **changes)  # type: ignore[arg-type]
