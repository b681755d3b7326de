"""sslreg plugins doctor"""

from __future__ import annotations

import json

import pytest

SOUND = """
import sslreg
sslreg_api = 1
@sslreg.hookimpl
def sslreg_register(registry):
    registry.{kind}("{name}", "{target}", summary="fine")
"""

#: A plugin's source (None: its entry point leads nowhere), and parts of the message and of the hint that it gets.
BROKEN: dict[str, tuple[str | None, str, str]] = {
    "import_error": ("import no_such_module", "No module named 'no_such_module'", "with its dependencies"),
    "syntax_error": ("def broken(", "SyntaxError", "to its authors"),
    "system_exit": ("raise SystemExit('bye')", "SystemExit: bye", "SSLREG_DISABLE_PLUGINS=system_exit"),
    "no_api": ("import sslreg", "lacks the line 'sslreg_api = 1'", "compatible versions"),
    "other_api": ("sslreg_api = 99", "for version 99", "compatible versions"),
    "raising_hook": (
        SOUND.format(kind="loss", name="x", target="m:a") + "    raise RuntimeError('fell over')",
        "fell over",
        "--traceback",
    ),
    "unknown_kind": (
        SOUND.format(kind="los", name="x", target="m:a"),
        "'los'; did you mean 'loss'",
        "to its authors",
    ),
    "unknown_hook": (
        "import sslreg\nsslreg_api = 1\n@sslreg.hookimpl\ndef sslreg_registr(registry): ...",
        "sslreg_registr",
        "to its authors",
    ),
    "hollow": (None, "ModuleNotFoundError", "names a module that does not exist"),
    "gone": (SOUND.format(kind="loss", name="x", target="no_such_module:A"), "no_such_module:A", "update 'gone'"),
    "no_attribute": (SOUND.format(kind="loss", name="y", target="math:no_such"), "math:no_such", "update"),
    "unusable": (
        "from collections.abc import Callable\nclass A:\n    def __init__(self, function: Callable[[int], int]): ...\n"
        + SOUND.format(kind="callback", name="x", target="{module}:A"),
        "needs function, which a spec cannot set",
        "give them defaults",
    ),
    "raising_cli": (
        "import sslreg\nsslreg_api = 1\n@sslreg.hookimpl\ndef sslreg_cli(app):\n    raise SystemExit('no terminal')",
        "its commands cannot be added: SystemExit: no terminal",
        "--traceback",
    ),
    "silent": (
        "class Silent(BaseException):\n    def __str__(self): raise RuntimeError\nraise Silent",
        "Silent: its message cannot be shown, because __str__ raises RuntimeError",
        "to its authors",
    ),
    "number": (
        SOUND.format(kind="loss", name="x", target="m:a").replace('"fine"', "7"),
        "loss 'x': summary is not a text",
        "to its authors",
    ),
    "raising_signature": (
        "class Meta(type):\n    @property\n    def __signature__(cls): raise KeyError('no signature')\n"
        "class A(metaclass=Meta): ...\n" + SOUND.format(kind="loss", name="s", target="{module}:A"),
        "cannot be called: KeyError: 'no signature'",
        "update raising",
    ),
    "rival": (
        SOUND.format(kind="loss", name="nt_xent", target="logging:NullHandler"),
        "sslreg provides loss 'nt_xent', too",
        "rival:nt_xent",
    ),
}


def examined(cli, *arguments: str):
    result = cli("plugins", "doctor", "--json", *arguments)
    return result.status, {plugin["name"]: plugin for plugin in json.loads(result.out)["plugins"]}


def test_the_default_plugins_are_ok(cli) -> None:
    status, plugins = examined(cli)
    assert status == 0
    assert {name: plugin["findings"] for name, plugin in plugins.items() if plugin["findings"]} == {}


def test_each_broken_plugin_is_reported_with_a_hint(cli, site, tmp_path) -> None:
    for name, (source, _, _) in BROKEN.items():
        module = f"plugin_{name}_{site.path.name}"
        site.install(name, source and source.replace("{module}", module))
    status, plugins = examined(cli)
    assert status == 1
    for name, (_, message, hint) in BROKEN.items():
        (finding,) = (found for found in plugins[name]["findings"] if found["severity"] == "error")
        assert message in finding["message"], name
        assert hint in finding["hint"], name
    # The rival's name is ambiguous, so the default that it rivals is spelled out.
    assert [found["code"] for found in plugins["losses"]["findings"]] == ["ambiguous-component"]
    trained = cli(
        *("train", "digits-simclr", "--out", tmp_path / "run", "--set", "loss={use: 'sslreg:nt_xent'}"),
        *("--set", "trainer={max_epochs: 1, limit_train_batches: 1, accelerator: cpu}", "--set", "evaluate=[]"),
        *("--set", "schedule.warmup_epochs=0"),
    )
    assert trained.status == 0, trained.err


def test_tracebacks_are_shown_on_request(cli, site) -> None:
    site.install("fallen", SOUND.format(kind="loss", name="x", target="m:a") + "    raise RuntimeError('fell over')")
    site.install("gone", SOUND.format(kind="loss", name="x", target="no_such_module:A"))
    assert "Traceback" not in cli("plugins", "doctor").out
    out = cli("plugins", "doctor", "--traceback").out
    assert out.count("Traceback") == 2
    assert "raise RuntimeError('fell over')" in out


def test_a_heavy_module_and_a_missing_summary_are_warnings(cli, site) -> None:
    site.install("heavy", "import scipy\n" + SOUND.format(kind="callback", name="x", target="logging:NullHandler"))
    site.install(
        "terse", SOUND.format(kind="callback", name="y", target="logging:NullHandler").replace(', summary="fine"', "")
    )
    status, plugins = examined(cli)
    assert status == 0
    assert [found["code"] for found in plugins["heavy"]["findings"]] == ["heavy-plugin"]
    assert "imports scipy" in plugins["heavy"]["findings"][0]["message"]
    assert [found["code"] for found in plugins["terse"]["findings"]] == ["no-summary"]


def test_plugins_with_the_same_name_cause_a_warning(cli, site) -> None:
    site.install("acme", SOUND.format(kind="callback", name="x", target="logging:NullHandler"), entry="extras")
    site.install("other", SOUND.format(kind="callback", name="y", target="logging:NullHandler"), entry="extras")
    result = cli("plugins", "doctor")
    assert result.status == 0
    assert "by its distribution, 'acme'" in result.out


def test_blocked_plugins_are_not_examined(cli, site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("bomb", "raise RuntimeError('boom')")
    monkeypatch.setenv("SSLREG_DISABLE_PLUGINS", "bomb")
    status, plugins = examined(cli)
    assert (status, plugins["bomb"]["status"], plugins["bomb"]["findings"]) == (0, "blocked", [])
