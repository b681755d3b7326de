"""What `--help` prints."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("group", ["", "runs", "plugins", "specs"])
def test_every_command_is_said_in_a_whole_sentence(cli, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, _, commands = cli(*group.split(), "--help").out.partition("Commands:\n")
    lines = commands.rstrip().splitlines()
    assert len(lines) >= 2
    assert [line for line in lines if line.endswith("...") or not line.endswith(".")] == []


def test_a_plugins_command_looks_like_sslregs_own(cli) -> None:
    assert "\nOptions:\n" in cli("curves", "--help").out


def test_arguments_that_may_repeat_say_so_once(cli) -> None:
    assert cli("report", "--help").out.count("...") == 1
    assert "[[" not in cli("evaluate", "--help").out
