"""Fixtures of commands."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def spec_file(tmp_path: Path, tiny_spec: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small spec, in a separate folder in which commands run."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_spec)
    return path
