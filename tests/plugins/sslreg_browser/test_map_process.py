"""The t-SNE in a separate process."""

from __future__ import annotations

import subprocess
import threading
import time
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

import sslreg
from sslreg_browser import map_process
from sslreg_browser.map_process import project


@pytest.fixture
def features() -> torch.Tensor:
    return normalize(torch.randn(40, 8, generator=torch.Generator().manual_seed(0)), dim=1)


def test_the_process_makes_the_map_of_reports(features: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = sslreg.map_embeddings(features, [None] * 40)
    monkeypatch.setattr(map_process, "_FEW", 0)
    for _ in range(2):
        projected = project(features, threading.Event())
        assert projected is not None
        np.testing.assert_array_equal(projected[0], expected.points)
        assert projected[1] == expected.method
        monkeypatch.setattr(map_process, "_FEW", 1_000)  # and the second time without a process


def test_it_ends_when_it_is_cancelled(features: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def sleep(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(["sleep", "100"], **options))
        return started[0]

    monkeypatch.setattr(map_process, "_FEW", 0)
    monkeypatch.setattr(subprocess, "Popen", sleep)
    cancelled = threading.Event()
    threading.Timer(0.1, cancelled.set).start()
    start = time.monotonic()
    assert project(features, cancelled) is None
    assert time.monotonic() - start < 50
    assert started[0].poll() is not None


def test_a_failure_names_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(map_process, "_FEW", 0)
    broken = torch.full((40, 8), float("nan"))
    with pytest.raises(sslreg.UserError, match=r"the t-SNE failed: ValueError: .*NaN"):
        project(broken, threading.Event())
