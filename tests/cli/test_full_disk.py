"""Commands that replace files, on a disk that becomes full while they write."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sslreg import Run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits of file sizes")

#: The bytes of a file that can be written.
SIZE = 64


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Let the system refuse to write more than `SIZE` bytes into a file."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    "command",
    [
        ("schema", "--out", "out.json"),
        ("specs", "copy", "cifar10-simclr", "out.yaml", "--force"),
        ("preview", "tiny.yaml", "--out", "out.html"),
        ("preview", "tiny.yaml", "--out", "out.png"),
        ("report", "RUN", "--out", "out.html"),
        ("neighbors", "RUN", "test:17", "--out", "out.html"),
        ("neighbors", "RUN", "test:17", "--out", "out.png"),
        ("embed", "RUN", "--out", "out.npz"),
        ("embed", "RUN", "--out", "out.parquet"),
        ("export", "RUN", "--format", "torch_export", "--out", "out.pt2", "--force"),
        ("export", "RUN", "--format", "safetensors", "--out", "out.safetensors", "--force"),
    ],
    ids=" ".join,
)
def test_a_full_disk_ends_a_command_with_a_message_and_destroys_nothing(
    cli: Callable[..., Any], spec_file: Path, tiny_run: Run, request: pytest.FixtureRequest, command: tuple[str, ...]
) -> None:
    (out,) = (Path(word) for word in command if word.startswith("out."))
    arguments = [str(tiny_run.path) if word == "RUN" else word for word in command]
    assert cli(*arguments).status == 0  # compiles, too; its cache is not what is tested
    out.write_text("precious")
    before = list_files(spec_file.parent)
    request.getfixturevalue("full_disk")
    result = cli(*arguments)
    assert result.status == 1, result.err
    assert "cannot be written" in result.err
    assert out.read_text() == "precious"
    assert list_files(spec_file.parent) == before


def test_a_full_disk_keeps_the_evaluations_of_a_run(
    cli: Callable[..., Any], spec_file: Path, tiny_run: Run, request: pytest.FixtureRequest
) -> None:
    shutil.copytree(tiny_run.path, "run")
    path = Path("run", "evaluations.json")
    path.write_text("{}")
    files = list_files(path.parent)
    request.getfixturevalue("full_disk")
    result = cli("evaluate", "run", "few_shot")
    assert result.status == 1
    assert f"{path} cannot be written" in result.err
    assert path.read_text() == "{}"
    assert list_files(path.parent) == files


@pytest.mark.parametrize("folder", ["existing", "missing"])
def test_a_full_disk_leaves_no_part_of_a_new_package(
    cli: Callable[..., Any], spec_file: Path, request: pytest.FixtureRequest, folder: str
) -> None:
    if folder == "existing":
        Path("new").mkdir()
    before = sorted(spec_file.parent.rglob("*"))
    request.getfixturevalue("full_disk")
    result = cli("plugins", "new", "my-plugin", "--kind", "loss", "--to", "new")
    assert result.status == 1
    assert "cannot be written" in result.err
    assert sorted(spec_file.parent.rglob("*")) == before


def list_files(folder: Path) -> list[str]:
    """Return the names of files, without the embeddings that are kept for when the command is repeated."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".parts")
