"""What processes tell each other, in a process by itself; the tests of pairs show it in two."""

from __future__ import annotations

import pytest

from sslreg.training.processes.agreement import anywhere, ended_together, gathered, told_by_main


def test_a_process_by_itself_waits_for_nobody() -> None:
    assert gathered("own") == ["own"]
    assert anywhere(True, False) == [True, False]
    assert told_by_main(lambda: "own") == "own"
    with pytest.raises(ValueError, match="as it was"), ended_together():
        raise ValueError("as it was")
