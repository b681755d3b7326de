"""A lock on a file that one process holds at a time. Tests of the run lock cover children and killed processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from sslreg.process_lock import ProcessLock


def test_one_of_two_locks_is_acquired(tmp_path: Path) -> None:
    first, second = ProcessLock(tmp_path / "lock"), ProcessLock(tmp_path / "lock")
    assert first.is_held() is None
    assert first.acquire()
    assert not second.acquire()
    assert second.is_held() is True
    assert second.read_holder() == "this process"
    first.release()
    assert first.is_held() is False
    assert second.acquire()
    second.release()


def test_a_lock_can_be_acquired_again(tmp_path: Path) -> None:
    lock = ProcessLock(tmp_path / "lock")
    for _ in range(2):
        with lock.hold():
            assert lock.is_held()
    lock.release()  # of a lock that is not held does nothing
    assert lock.is_held() is False


def test_a_lock_without_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="lock"):
        ProcessLock(tmp_path / "missing" / "lock").acquire()
