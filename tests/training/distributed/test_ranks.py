"""How processes that torchrun has started take turns. `ddp_worker.py` wrote down what they did."""

from __future__ import annotations

from pathlib import Path

import pytest

from sslreg import UserError, train
from sslreg.spec import parse_spec


@pytest.mark.slow
def test_the_main_process_builds_first_so_that_downloads_happen_once(pair: Path) -> None:
    assert [(pair / f"turn-{rank}").read_text() for rank in range(2)] == ["first", "second"]


@pytest.mark.slow
def test_a_mistake_is_told_by_one_process_and_ends_all_with_its_status(pair: Path) -> None:
    assert "a batch of 4000 is larger than the training set" in (pair / "refused-0").read_text()
    assert (pair / "refused-1").read_text() == "SystemExit: 2"
    assert not (pair / "refused").exists()


def test_processes_without_a_device_each_are_refused(
    tiny_spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this, each of torchrun's processes would train the same run by itself."""
    for name, value in {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    spec = parse_spec(tiny_spec, "tiny.yaml", ["trainer.devices=1"])
    with pytest.raises(UserError, match=r"torchrun has started 2 processes, for 1 × 1 devices"):
        train(spec, tmp_path / "run")
    assert not (tmp_path / "run").exists()
