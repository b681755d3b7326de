"""Commands that plugins add."""

from __future__ import annotations

import pytest

PLUGIN = """
import sslreg
sslreg_api = 1
@sslreg.hookimpl
def sslreg_cli(app):
    @app.command()
    def {command}():
        print("{says}")
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--no-plugins` sets it for the process, and a test should not."""
    monkeypatch.setenv("SSLREG_PLUGINS", "unset")
    monkeypatch.delenv("SSLREG_PLUGINS")


def test_a_plugin_adds_a_command(cli, site) -> None:
    site.install("acme", PLUGIN.format(command="greet", says="hello"))
    assert cli("greet").out == "hello\n"
    assert "greet" in cli("--help").out


def test_a_plugin_cannot_replace_a_command_of_sslreg(cli, site) -> None:
    site.install("acme", PLUGIN.format(command="check", says="replaced"))
    result = cli("check", "digits-simclr")
    assert "replaced" not in result.out
    assert "ok" in result.out


def test_the_first_of_two_plugins_provides_a_command(cli, site) -> None:
    site.install("acme", PLUGIN.format(command="greet", says="first"))
    site.install("other", PLUGIN.format(command="greet", says="second"))
    result = cli("greet")
    assert result.out == "first\n"
    assert "the command 'greet' of plugin 'other'" in result.err


def test_only_the_commands_of_a_failing_plugin_are_left_out(cli, site) -> None:
    site.install("acme", PLUGIN.format(command="greet", says="hello") + "    raise SystemExit('bye')\n")
    site.install("good", PLUGIN.format(command="wave", says="hi"))
    result = cli("wave")
    assert result.out == "hi\n"
    assert "the commands of plugin 'acme' (acme 1.0) are left out: SystemExit: bye" in result.err
    assert cli("greet").status == 2


def test_commands_of_sslreg_do_not_load_plugins(cli, site) -> None:
    site.install("bomb", PLUGIN.format(command="x", says="") + "    raise RuntimeError('asked')\n")
    assert "asked" not in cli("specs", "list").err


@pytest.mark.parametrize("arguments", [("--no-plugins", "greet"), ("--no-plugins", "--help")])
def test_disabled_plugins_add_no_commands(cli, site, arguments: tuple[str, ...]) -> None:
    site.install("acme", PLUGIN.format(command="greet", says="hello"))
    result = cli(*arguments)
    assert "hello" not in result.out
    assert "greet  " not in result.out
