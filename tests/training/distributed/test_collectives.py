"""Collective calls in a single process; other tests call them in two."""

from __future__ import annotations

import pytest

from sslreg.training.distributed.collectives import all_gather_object, exit_together, reduce_any, run_on_main_process


def test_a_process_by_itself_waits_for_nobody() -> None:
    assert all_gather_object("own") == ["own"]
    assert reduce_any(True, False) == [True, False]
    assert run_on_main_process(lambda: "own") == "own"
    with pytest.raises(ValueError, match="as it was"), exit_together():
        raise ValueError("as it was")
