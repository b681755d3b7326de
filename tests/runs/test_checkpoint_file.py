"""Checkpoints as files: whole or recognized as not, and never a way to run code."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch

from sslreg import SslregError
from sslreg.runs.checkpoint_file import load_newest_checkpoint, read_checkpoint, write_checkpoint
from sslreg.runs.folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run with two checkpoints, of steps 1 and 2."""
    folder = RunFolder(tmp_path / "run")
    folder.create()
    for step in (1, 2):
        write_checkpoint(content(step), folder.last_checkpoint, folder.previous_checkpoint)
    return folder


def content(step: int) -> dict[str, object]:
    return {"global_step": step, "state_dict": {}, "weights": torch.full((100,), float(step)), "list": [1, {"a": None}]}


def flip_a_bit(path: Path, share: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(share * (len(data) - 1))] ^= 0x10
    path.write_bytes(data)


def cut_short(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])


def test_a_checkpoint_is_read_as_it_was_written_by_sslreg_and_by_torch(folder: RunFolder) -> None:
    for read in (read_checkpoint(folder.last_checkpoint), torch.load(folder.last_checkpoint, weights_only=True)):
        assert torch.equal(read["weights"], torch.full((100,), 2.0))
        assert (read["global_step"], read["list"]) == (2, [1, {"a": None}])


def test_nothing_but_the_two_checkpoints_is_left(folder: RunFolder) -> None:
    assert {path.name for path in folder.checkpoints.iterdir()} == {"last.ckpt", "previous.ckpt"}
    assert read_checkpoint(folder.previous_checkpoint)["global_step"] == 1


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0])
def test_a_flipped_bit_anywhere_is_noticed_and_the_checkpoint_before_it_used(
    folder: RunFolder, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    flip_a_bit(folder.last_checkpoint, share)
    path, read = load_newest_checkpoint(folder)
    assert (path, read["global_step"]) == (folder.previous_checkpoint, 1)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "last.ckpt: " in record.message
    assert "the one before it is used, from step 1" in record.message


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_torn_checkpoint_is_noticed_and_the_one_before_it_used(
    folder: RunFolder, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    cut_short(folder.last_checkpoint, share)
    assert load_newest_checkpoint(folder)[1]["global_step"] == 1
    assert "last.ckpt: it is truncated" in caplog.text


def test_a_missing_last_checkpoint_leaves_the_one_before_it(folder: RunFolder) -> None:
    """As when the power goes between the two renames."""
    folder.last_checkpoint.unlink()
    assert load_newest_checkpoint(folder)[1]["global_step"] == 1


def test_two_damaged_checkpoints_are_one_error_that_names_both(folder: RunFolder) -> None:
    cut_short(folder.last_checkpoint, 0.5)
    flip_a_bit(folder.previous_checkpoint, 0.5)
    with pytest.raises(SslregError, match=r"last\.ckpt: it is truncated.*; .*previous\.ckpt: its checksum"):
        load_newest_checkpoint(folder)


def test_no_checkpoint_at_all_says_so(tmp_path: Path) -> None:
    with pytest.raises(SslregError, match="has no checkpoint"):
        load_newest_checkpoint(RunFolder(tmp_path))


class Hostile:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "owned")


@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_checkpoint_cannot_run_code(folder: RunFolder, tmp_path: Path, is_sealed: bool) -> None:
    """Not one with a good checksum either, and nothing else is used in its place: somebody put it there."""
    hostile = {"global_step": 3, "state_dict": Hostile(tmp_path / "owned")}
    if is_sealed:
        write_checkpoint(hostile, folder.last_checkpoint)
    else:
        torch.save(hostile, folder.last_checkpoint)
    with pytest.raises(SslregError, match=r"last\.ckpt cannot be read"):
        load_newest_checkpoint(folder)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("room", [0, 1000, 100_000])
def test_a_full_disk_is_named_and_leaves_what_was_there(
    folder: RunFolder, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's writer makes another error of the operating system's while it closes the archive."""
    write = torch.save

    def into_little_room(saved, file):
        class Full:
            left = room

            def write(self, data):
                self.left -= len(data)
                if self.left < 0:
                    raise OSError(28, "No space left on device")
                return file.write(data)

        write(saved, Full())

    monkeypatch.setattr("torch.save", into_little_room)
    with pytest.raises(SslregError, match=r"last\.ckpt cannot be written: no space is left on its disk"):
        write_checkpoint(
            content(3) | {"more": torch.zeros(100_000)}, folder.last_checkpoint, folder.previous_checkpoint
        )
    assert load_newest_checkpoint(folder)[1]["global_step"] == 2
    assert len(list(folder.checkpoints.iterdir())) == 2


@pytest.mark.parametrize("wrong", [{}, {"global_step": 3}, {"global_step": "3", "state_dict": {}}, {"state_dict": {}}])
def test_a_whole_checkpoint_with_other_content_is_refused(folder: RunFolder, wrong: dict) -> None:
    write_checkpoint(wrong, folder.last_checkpoint)
    with pytest.raises(SslregError, match=r"last\.ckpt cannot be read: its content is not that of a training"):
        load_newest_checkpoint(folder)
