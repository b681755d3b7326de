"""Making and writing a run's folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sslreg import SslregError, UserError
from sslreg.runs.folder import RunFolder, claim_default_folder


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
    folders = set()
    for _ in range(3):
        with claim_default_folder("name") as folder:
            folder.create()
            folders.add(folder.path)
    assert len(folders) == 3
    assert {tmp_path / path for path in folders} == set((tmp_path / "runs" / "name").iterdir())


CLAIM = """
import sys
from sslreg.runs.folder import claim_default_folder
print("ready", flush=True)
sys.stdin.readline()
for _ in range(50):
    with claim_default_folder("name") as folder:
        folder.create()
        print(folder.path)
"""


def test_processes_that_start_runs_at_the_same_time_get_different_folders(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    folders = [path for process in processes for path in process.communicate(timeout=60)[0].split()]
    assert len(set(folders)) == 100


@pytest.mark.parametrize("existing", [None, "runs", "runs/name"])
def test_a_claimed_folder_is_removed_if_the_run_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    if existing is not None:
        (tmp_path / existing).mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(KeyboardInterrupt), claim_default_folder("name"):
        raise KeyboardInterrupt
    assert sorted(tmp_path.rglob("*")) == before


def test_a_claimed_folder_that_holds_something_remains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    claim = claim_default_folder("name")
    folder = claim.__enter__()
    folder.create()
    assert not claim.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert folder.checkpoints.is_dir()


@pytest.mark.parametrize(
    ("status", "has_checkpoint", "hint"),
    [
        ("interrupted", True, "resume the run with: sslreg train --resume '{}'; or choose another folder with --out"),
        ("failed", True, "resume the run with: sslreg train --resume '{}'; or choose another folder with --out"),
        ("failed", False, "it has no checkpoint: start it again with --auto-resume, or choose another folder"),
        ("finished", True, "or train the run longer: sslreg train --resume '{}' --set trainer.max_epochs=N"),
    ],
)
def test_a_folder_of_a_run_is_refused_with_the_command_that_continues_the_run(
    tmp_path: Path, status: str, has_checkpoint: bool, hint: str
) -> None:
    folder = RunFolder(tmp_path / "my run")
    folder.create()
    folder.summary.write_text(json.dumps({"status": status}))
    if has_checkpoint:
        folder.last_checkpoint.touch()
    with pytest.raises(UserError, match=f"already holds a run, which is {status}") as caught:
        folder.create()
    shown = caught.value.diagnostics[0].hint
    assert shown is not None
    assert hint.format(folder.path) in shown
    assert "remove" not in shown
