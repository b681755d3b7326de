"""What processes tell each other, in a process by itself; the tests of pairs show it in two."""

from __future__ import annotations

import pytest

from sslreg.training.distributed.collectives import any_process, exit_together, gathered, run_on_main


def test_a_process_by_itself_waits_for_nobody() -> None:
    assert gathered("own") == ["own"]
    assert any_process(True, False) == [True, False]
    assert run_on_main(lambda: "own") == "own"
    with pytest.raises(ValueError, match="as it was"), exit_together():
        raise ValueError("as it was")
