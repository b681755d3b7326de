"""Holding a spec to the versions of the run that it is from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import sslreg
from sslreg import Run, UserError
from sslreg.runs.provenance import require_lock


@pytest.fixture
def copied(tiny_run: Run, tmp_path: Path) -> Path:
    for file in (tiny_run.folder.resolved_spec, tiny_run.folder.lock):
        shutil.copy(file, tmp_path)
    return tmp_path / "spec.resolved.yaml"


def test_the_same_versions_pass(copied: Path) -> None:
    require_lock(sslreg.load_spec(copied))


def test_other_versions_are_named(copied: Path) -> None:
    path = copied.with_name("lock.json")
    lock = json.loads(path.read_text())
    lock["torch"] = "1.0"
    lock["components"]["loss/nt_xent"]["version"] = "0.0.1"
    path.write_text(json.dumps(lock))
    with pytest.raises(UserError) as caught:
        require_lock(sslreg.load_spec(copied))
    message = str(caught.value)
    assert 'torch: the lock has "1.0"' in message
    assert 'components.loss/nt_xent.version: the lock has "0.0.1"' in message


def test_a_spec_without_a_lock_cannot_be_held_to_one(copied: Path) -> None:
    copied.with_name("lock.json").unlink()
    with pytest.raises(UserError, match="no lock to compare"):
        require_lock(sslreg.load_spec(copied))
