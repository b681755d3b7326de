"""The cache of compiled functions, in folders and on disks that refuse it."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from sslreg import kernel_cache
from sslreg.kernel_cache import _turn, _warn_once
from sslreg.process_lock import ProcessLock

numba = pytest.importorskip("numba")

SOURCE = """
import numba
import sslreg

@sslreg.cache_kernel
@numba.njit
def add(a, b):
    return a + b
"""

Load = Callable[[], ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads the kernel as a new process would; its cache is in tmp_path/cache."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "kernels.py").write_text(SOURCE)
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    _warn_once.cache_clear()
    _turn.cache_clear()

    def load_module() -> ModuleType:
        specification = importlib.util.spec_from_file_location("kernels", tmp_path / "source" / "kernels.py")
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        return module

    return load_module


def files(folder: Path) -> list[Path]:
    """Return the files of numba."""
    return sorted(path for path in (folder / "cache").rglob("*.nb?"))


def test_compiled_code_is_loaded_by_the_next_process(load: Load, tmp_path: Path) -> None:
    assert load().add(1, 2) == 3
    assert len(files(tmp_path)) == 2
    again = load()
    assert again.add(1, 2) == 3
    assert sum(again.add.stats.cache_hits.values()) == 1


def test_a_full_disk_costs_time_only(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_data", refuse)
    for _ in range(2):
        assert load().add(1, 2) == 3
    (record,) = caplog.records
    assert "cannot be cached: No space left on device; NUMBA_CACHE_DIR sets" in record.getMessage()


def test_without_a_folder_that_can_be_written_the_kernel_is_compiled(
    load: Load, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The package is read-only, and so is the home of the user."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("numba.core.caching.os.makedirs", refuse)
    assert load().add(1, 2) == 3
    assert "no folder for it can be written to" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\x80\x04junk", b"\x80\x05N."])
def test_a_damaged_cache_is_replaced(
    load: Load, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    load().add(1, 2)
    for path in files(tmp_path):
        path.write_bytes(content)
    assert load().add(1, 2) == 3
    again = load()
    assert again.add(1, 2) == 3
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners of files")
@pytest.mark.parametrize("theirs", ["owner", "mode"])
def test_code_that_another_user_could_have_written_is_not_loaded(
    load: Load, tmp_path: Path, theirs: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    load().add(1, 2)
    (folder,) = {path.parent for path in files(tmp_path)}
    if theirs == "mode":
        folder.chmod(0o777)
    else:
        monkeypatch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
    module = load()
    assert module.add(1, 2) == 3
    assert not module.add.stats.cache_hits
    assert "other users can write to" in caplog.text


def lock_of(folder: Path) -> ProcessLock:
    (path,) = (folder / "cache").rglob("compiling.lock")
    return ProcessLock(path)


def test_it_is_announced_once_that_functions_are_compiled(
    load: Load, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load().add(1, 2)
    assert capsys.readouterr().err.startswith("compiling functions for images, once on this machine")
    load().add(1.0, 2.0)
    load().add(1, 2)
    assert capsys.readouterr().err == ""
    assert not lock_of(tmp_path).is_held()


def test_a_function_that_cannot_be_compiled_ends_its_turn(load: Load, tmp_path: Path) -> None:
    with pytest.raises(numba.TypingError):
        load().add("a", 1)
    assert not lock_of(tmp_path).is_held()


def test_who_waits_too_long_compiles_too(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load().add(1, 2)
    monkeypatch.setattr(kernel_cache, "PATIENCE", 0.0)
    _turn.cache_clear()
    with lock_of(tmp_path).hold():
        module = load()
        assert module.add(1.0, 2.0) == 3.0
        assert not module.add.stats.cache_hits


def test_a_folder_without_locks_costs_time_only(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(ProcessLock, "acquire", refuse)
    assert load().add(1, 2) == 3


@pytest.mark.slow
def test_one_of_several_processes_compiles_and_the_others_wait(load: Load, tmp_path: Path) -> None:
    program = "\n".join(
        [
            "import sys",
            "sys.path.insert(0, 'source')",
            "import kernels",
            "sys.stdin.readline()",  # all start together
            "assert kernels.add(1, 2) == 3",
            "print(sum(kernels.add.stats.cache_hits.values()))",
        ]
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert sorted(int(output) for output, _ in outputs) == [0, 1, 1]
    assert sum("compiling functions" in errors for _, errors in outputs) == 1
