"""Holding a spec to the versions of the run that it is from."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sslreg
from sslreg import Run, UserError
from sslreg.assembly import build_image_loader
from sslreg.runs.folder import RunFolder
from sslreg.runs.provenance import lock_readers, require_lock
from sslreg.testing import temporary_components


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


class Levels(sslreg.Reader):
    """Reads what begins like PNG as a gray pixel."""

    def matches(self, name: str, head: bytes) -> bool:
        return head.startswith(b"\x89PNG")

    def read(self, source: sslreg.Source) -> sslreg.Pixels:
        return sslreg.Pixels(np.zeros((1, 1, 1), np.uint8))


def test_a_reader_that_is_installed_later_changes_nothing_in_a_run(tiny_run: Run) -> None:
    file = io.BytesIO()
    Image.new("L", (8, 8), 200).save(file, "PNG")
    assert {"sslreg:jpeg", "sslreg:pillow"} <= set(tiny_run.lock["readers"])
    with temporary_components(reader={"later": Levels}):
        with pytest.raises(UserError, match=r"by reader 'later' of .* and by reader 'pillow' of sslreg"):
            sslreg.load_image(file.getvalue())
        assert build_image_loader(Run(tiny_run.path).spec)(file.getvalue()).shape[1:] == (8, 8)
        spec = lock_readers(sslreg.load_spec(tiny_run.folder.resolved_spec), tiny_run.folder)
        assert build_image_loader(spec)(file.getvalue()).shape[1:] == (8, 8)
    assert spec.to_dict() == tiny_run.spec.to_dict()


def test_without_a_lock_the_readers_are_those_of_the_spec(copied: Path) -> None:
    copied.with_name("lock.json").unlink()
    spec = sslreg.load_spec(copied)
    assert lock_readers(spec, RunFolder(copied.parent)) == spec
