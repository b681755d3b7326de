"""Files in the user's cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from sslreg import is_own_file, user_cache_path


def test_the_path_depends_on_the_identity_and_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = user_cache_path("folders", ["a", "b"], ".npz")
    assert path.parent == tmp_path / "sslreg" / "folders"
    assert path.suffix == ".npz"
    assert path != user_cache_path("folders", ["ab"], ".npz")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert user_cache_path("folders", ["a", "b"], ".npz") == tmp_path / "home/.cache/sslreg/folders" / path.name


def test_a_file_that_the_user_has_written_is_the_users(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert is_own_file(file)
