"""Making and writing a run's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from sslreg import SslregError, UserError
from sslreg.runs.folder import RunFolder


def test_a_folder_that_holds_something_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(UserError, match="already exists and is not empty"):
        RunFolder(tmp_path).create()
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    RunFolder(tmp_path).create()
    assert RunFolder(tmp_path).checkpoints.is_dir()


def test_a_folder_below_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SslregError, match="cannot be created"):
        RunFolder(tmp_path / "file" / "run").create()


def test_two_runs_in_one_second_get_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [RunFolder.default("name") for _ in range(3) if not RunFolder.default("name").create()]
    made = list((tmp_path / "runs" / "name").iterdir())
    assert len(folders) == len(made) == 3
