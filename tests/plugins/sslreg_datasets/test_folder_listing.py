"""Listings of folders: what they hold, and how long they are remembered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sslreg_datasets import _folder_listing
from sslreg_datasets._folder_listing import list_files


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(_folder_listing, "REMEMBERED_SIZE", 1)
    root = tmp_path / "images"
    for name in ("b/2.JPG", "b/1.jpg", "a-b.jpg", "a/c/3.jpg", "a/notes.txt", "a/plain", ".hidden/4.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    settle(root)
    return root


def settle(root: Path) -> None:
    """Let all folders have changed an hour ago."""
    for path, _, _ in os.walk(root):
        change = os.stat(path).st_mtime - 3600
        os.utime(path, (change, change))


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the folders that are listed from now on."""
    visited: list[str] = []
    visit = _folder_listing._Walk.visit

    def record(walk: _folder_listing._Walk, folder: str, *rest: object) -> None:
        visited.append(folder)
        visit(walk, folder, *rest)

    monkeypatch.setattr(_folder_listing._Walk, "visit", record)
    return visited


def test_paths_are_sorted_and_other_files_are_counted(folder: Path) -> None:
    listing = list_files(folder, {".jpg"})
    assert list(listing.paths) == ["a-b.jpg", "a/c/3.jpg", "b/1.jpg", "b/2.JPG"]
    assert listing.others == {".txt": 1, "": 1}


def test_a_remembered_listing_is_the_same_without_a_visit(folder: Path, visits: list[str]) -> None:
    first = list_files(folder, {".jpg"})
    assert len(visits) == 4
    second = list_files(folder, {".jpg"})
    assert len(visits) == 4
    assert list(second.paths) == list(first.paths)
    assert (second.special, second.first_special, second.others) == (0, "", {".txt": 1, "": 1})


@pytest.mark.parametrize("change", ["a/c/new.jpg", "a/c/d/new.jpg", "new.jpg"])
def test_a_new_file_is_found_at_any_depth(folder: Path, change: str) -> None:
    list_files(folder, {".jpg"})
    (folder / change).parent.mkdir(exist_ok=True)
    (folder / change).touch()
    assert change in list_files(folder, {".jpg"}).paths


def test_a_deleted_file_and_a_deleted_folder_are_forgotten(folder: Path) -> None:
    list_files(folder, {".jpg"})
    (folder / "b/1.jpg").unlink()
    (folder / "a/c/3.jpg").unlink()
    (folder / "a/c").rmdir()
    assert list(list_files(folder, {".jpg"}).paths) == ["a-b.jpg", "b/2.JPG"]


def test_other_extensions_have_their_own_listing(folder: Path) -> None:
    list_files(folder, {".jpg"})
    assert list(list_files(folder, {".txt"}).paths) == ["a/notes.txt"]


def test_a_folder_that_has_just_changed_is_listed_again(folder: Path, visits: list[str]) -> None:
    (folder / "b/5.jpg").touch()
    for _ in range(2):
        list_files(folder, {".jpg"})
    assert len(visits) == 8


@pytest.mark.parametrize("damage", [b"", b"PK", b"x" * 1000])
def test_a_damaged_cache_is_written_again(folder: Path, visits: list[str], damage: bytes) -> None:
    list_files(folder, {".jpg"})
    (cached,) = (folder.parent / "cache/sslreg/folders").iterdir()
    cached.write_bytes(damage)
    for _ in range(2):
        assert len(list_files(folder, {".jpg"}).paths) == 4
    assert len(visits) == 8


def test_a_cache_that_cannot_be_written_costs_time_alone(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent / "file"))
    assert len(list_files(folder, {".jpg"}).paths) == 4
    assert "the files will be listed again next time" in caplog.text


def test_names_of_any_encoding_are_remembered(folder: Path) -> None:
    (folder / os.fsdecode(b"f\xe9")).mkdir()
    name = os.fsdecode(b"f\xe9/\xe8.jpg")
    (folder / name).touch()
    settle(folder)
    for _ in range(2):
        assert name in list_files(folder, {".jpg"}).paths


def test_small_folders_are_not_remembered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_folder_listing, "REMEMBERED_SIZE", 5)
    list_files(folder, {".jpg"})
    assert not (folder.parent / "cache").exists()
