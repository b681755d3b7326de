"""Fixtures that run the command in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sslreg.cli import main


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs ``sslreg ARGUMENTS``. An exception other than SystemExit, which a user would see as a traceback, fails."""

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["sslreg", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return run


@pytest.fixture
def spec_file(tmp_path: Path, tiny_spec: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small spec, in a separate folder in which commands run."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_spec)
    return path
