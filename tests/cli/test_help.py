"""The help of all commands."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("group", ["", "runs", "plugins", "specs"])
def test_the_summary_of_every_command_fits_a_line(cli, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, _, commands = cli(*group.split(), "--help").out.partition("Commands:\n")
    lines = commands.rstrip().splitlines()
    assert len(lines) >= 2
    assert [line for line in lines if line.endswith("...") or not line.endswith(".")] == []


def test_a_plugins_command_looks_like_sslregs_own(cli) -> None:
    assert "\nOptions:\n" in cli("curves", "--help").out


def test_repeated_arguments_are_marked_once(cli) -> None:
    assert cli("report", "--help").out.count("...") == 1
    assert "[[" not in cli("evaluate", "--help").out
