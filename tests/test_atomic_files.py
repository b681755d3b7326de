"""Files that are replaced as a whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from sslreg import SslregError
from sslreg.atomic_files import (
    WriteError,
    append_text,
    atomic_write,
    atomic_write_group,
    write_bytes,
    write_json,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_json_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_json(path, {"status": "running"})
    write_json(path, {"status": "finished"})
    assert json.loads(path.read_text()) == {"status": "finished"}
    assert names(tmp_path) == ["summary.json"]


def test_text_is_utf_8_and_keeps_its_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "één\n")
    assert (tmp_path / "file").read_bytes() == "één\n".encode()


@pytest.mark.parametrize("shared", [False, True])
def test_an_exception_leaves_the_old_file_and_no_draft(tmp_path: Path, shared: bool) -> None:
    (tmp_path / "file").write_text("old")

    def write() -> None:
        with atomic_write(tmp_path / "file", shared=shared) as draft:
            draft.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("old")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(WriteError, match=r"file cannot be written: no space is left on its disk\n.*make room"):
        write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


LIMITED = """
import resource, sys
from pathlib import Path
from sslreg import SslregError
from sslreg.atomic_files import write_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_bytes(Path(sys.argv[1]), b"new" * 1000)
except SslregError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no file sizes")
def test_a_file_that_grows_too_large_is_named_and_the_old_one_stays(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"old")
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "file")]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{tmp_path / 'file'} cannot be written: File too large" in output
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_folder_that_does_not_exist_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SslregError, match="cannot be written: No such file or directory"):
        write_bytes(tmp_path / "missing" / "file", b"")


@pytest.fixture
def umask_027():
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
@pytest.mark.usefixtures("umask_027")
def test_modes_follow_the_umask_whatever_the_writer_sets(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "weights") as draft:
        save_file({"weight": torch.zeros(2)}, draft)
    with atomic_write_group(tmp_path / "group.a") as folder:
        save_file({"weight": torch.zeros(2)}, folder / "group.a")
        (folder / "group.b").write_text("card")
    for name in ("weights", "group.a", "group.b"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640, name


def test_a_group_of_files_appears_together_or_not_at_all(tmp_path: Path) -> None:
    def write(content: str, error: BaseException | None = None) -> None:
        with atomic_write_group(tmp_path / "a") as folder:
            for name in "ab":
                (folder / name).write_text(content)
            if error is not None:
                raise error

    write("old")
    with pytest.raises(SslregError, match="spoilt"):
        write("new", SslregError("spoilt"))
    with pytest.raises(WriteError, match="a cannot be written: broken"):
        write("new", OSError("broken"))
    assert [(tmp_path / name).read_text() for name in "ab"] == ["old", "old"]
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege on Windows")
def test_a_symbolic_link_keeps_pointing_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "file")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "file").read_text() == "new"


def test_what_is_appended_to_a_full_disk_leaves_no_part_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    append_text(path, "step\n")
    append_text(path, "1\n")
    with limited_file_size(9), pytest.raises(WriteError, match=r"rows.csv cannot be written"):
        append_text(path, "2\n3\n4\n")
    assert path.read_text() == "step\n1\n"


@contextmanager
def limited_file_size(size: int) -> Iterator[None]:
    """Let the system refuse to write beyond a size, after a part of the content, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs")
def test_a_file_that_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WriteError, match="not a regular file"):
        write_text(tmp_path / "pipe", "text")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
