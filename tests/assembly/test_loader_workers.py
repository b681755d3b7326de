"""Workers of data loaders on systems that make it hard for them."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from multiprocessing import process, util
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

from sslreg.assembly import loader_workers
from sslreg.assembly.loader_workers import WorkerError, loader_worker_options, prepare_for_workers
from sslreg.errors import SslregError

#: Seconds after which a loader gives up, where it would wait forever.
LIMIT = 60


def load(collate: Callable[[list[int]], Any]) -> list[Any]:
    """Return the batches of a loader with a worker."""
    loader: DataLoader[Any] = DataLoader(
        range(4),  # type: ignore[arg-type]
        batch_size=2,
        collate_fn=collate,
        timeout=LIMIT,
        **loader_worker_options(1),
    )
    return list(loader)


@pytest.fixture
def long_tmpdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files whose path is too long for a socket."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.delitem(process.current_process()._config, "tempdir", raising=False)  # type: ignore[attr-defined]
    return folder


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no sockets")
def test_a_tmpdir_too_long_for_sockets_does_not_stop_workers(long_tmpdir: Path) -> None:
    batches = load(torch.tensor)
    assert [batch.tolist() for batch in batches] == [[0, 1], [2, 3]]
    assert not util.get_temp_dir().startswith(str(long_tmpdir))
    assert tempfile.gettempdir() == str(long_tmpdir)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no sockets")
@pytest.mark.usefixtures("long_tmpdir")
def test_a_tmpdir_too_long_for_sockets_is_refused_where_no_other_folder_is_writable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(loader_workers, "SOCKET_FOLDERS", (str(tmp_path / "missing"),))
    prepare_for_workers(0)
    with pytest.raises(SslregError, match=r"too long for the sockets of workers(.|\n)*set TMPDIR to a shorter path"):
        prepare_for_workers(1)


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], list[tuple[int, int]]]:
    """Fakes the limits of open files; returns a list that gets the limits that are set."""
    resource = pytest.importorskip("resource")

    def fake(soft: int, hard: int) -> list[tuple[int, int]]:
        changed: list[tuple[int, int]] = []
        monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
        monkeypatch.setattr(resource, "setrlimit", lambda _, limit: changed.append(limit))
        monkeypatch.setattr(loader_workers, "_count_open_files", lambda: 30)
        return changed

    return fake


def test_a_low_limit_of_open_files_is_raised(limits: Callable[[int, int], list[tuple[int, int]]]) -> None:
    changed = limits(32, 4096)
    prepare_for_workers(0)
    assert changed == []
    prepare_for_workers(8)
    assert changed == [(30 + 8 * 10 + 100, 4096)]


@pytest.mark.parametrize(("soft", "hard"), [(1024, 4096), (-1, -1), (256, -1)])
def test_a_sufficient_limit_of_open_files_is_left_alone(
    limits: Callable[[int, int], list[tuple[int, int]]], soft: int, hard: int
) -> None:
    changed = limits(soft, hard)
    prepare_for_workers(8)
    assert changed == []


def test_a_limit_of_open_files_that_cannot_be_raised_is_refused_before_workers_start(
    limits: Callable[[int, int], list[tuple[int, int]]],
) -> None:
    limits(64, 128)
    with pytest.raises(SslregError, match=r"more open files than the limit \(64\)(.|\n)*ulimit -n 4096"):
        loader_worker_options(2)


class Unsendable:
    """A part of a batch that fails when it is sent."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TypeError("cannot pickle it"), "worker-cannot-send"),
        (OSError(errno.ENOSPC, "no space in shared memory"), "worker-cannot-send"),
        (OSError(errno.EMFILE, "too many"), "too-many-open-files"),
    ],
)
def test_a_batch_that_a_worker_cannot_send_is_an_error_and_not_a_hang(error: Exception, code: str) -> None:
    first, _ = load(lambda samples: Unsendable(error))
    assert isinstance(first, WorkerError)
    assert first.diagnostics[0].code == code
    with pytest.raises(SslregError):
        first.reraise()
