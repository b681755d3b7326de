"""Discovery of working and broken plugins that are installed on the path."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint, distributions

import pytest

from sslreg.registry import Catalog, PluginSelection, discover, installed

GOOD = """
import sslreg
sslreg_api = 1
@sslreg.hookimpl
def sslreg_register(registry):
    registry.loss("{name}_loss", "math:sqrt")
"""

BROKEN = {
    "import_error": ("import no_such_module", "ModuleNotFoundError"),
    "syntax_error": ("def broken(", "SyntaxError"),
    "system_exit": ("raise SystemExit('bye')", "SystemExit: bye"),
    "no_api": ("import sslreg", "lacks the line 'sslreg_api = 1'"),
    "other_api": ("sslreg_api = 99", "the plugin is for version 99 of the plugin contract; this sslreg has version 1"),
    "raising_hook": (GOOD.format(name="x") + "    raise RuntimeError('hook fell over')", "hook fell over"),
    "bad_target": (GOOD.format(name="x") + "    registry.loss('y', 'no colon')", "'no colon' is not"),
    "unknown_hook": (
        "import sslreg\nsslreg_api = 1\n@sslreg.hookimpl\ndef sslreg_registr(registry): ...",
        "sslreg_registr",
    ),
}


def discovered(site, selection: PluginSelection = PluginSelection()) -> Catalog:  # noqa: B008 - it is frozen
    points: list[EntryPoint] = []
    for distribution in distributions(path=[str(site.path)]):
        points += distribution.entry_points
    return discover(selection, points)


def test_a_plugin_provides_its_components(site) -> None:
    site.install("acme-ssl", GOOD.format(name="acme"))
    info = discovered(site).get("loss", "acme_loss")
    assert (info.distribution, info.version, info.plugin) == ("acme-ssl", "1.0", "acme-ssl")


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_reported_and_others_load(site, case: str) -> None:
    source, error = BROKEN[case]
    site.install("broken", source)
    site.install("good", GOOD.format(name="good"))
    catalog = discovered(site)
    reports = {plugin.name: plugin for plugin in catalog.plugins}
    assert reports["broken"].status == "failed"
    assert error in (reports["broken"].error or "")
    assert "Traceback" in (reports["broken"].traceback or "")
    assert reports["broken"].components == ()
    assert catalog.get("loss", "good_loss").distribution == "good"


def test_an_entry_point_without_a_module_is_reported(site) -> None:
    site.install("hollow", None)
    (report,) = discovered(site).plugins
    assert (report.status, (report.error or "").partition(":")[0]) == ("failed", "ModuleNotFoundError")


def test_two_distributions_may_use_one_entry_point_name(site) -> None:
    site.install("acme", GOOD.format(name="acme"), entry="losses")
    site.install("other", GOOD.format(name="other"), entry="losses")
    assert [plugin.status for plugin in discovered(site).plugins] == ["loaded", "loaded"]


@pytest.mark.parametrize(
    "selection",
    [
        PluginSelection(block=frozenset({"bomb"})),
        PluginSelection(allow=frozenset({"good"})),
        PluginSelection(allow=frozenset()),
    ],
)
def test_a_blocked_plugin_is_never_imported(
    site, selection: PluginSelection, capsys: pytest.CaptureFixture[str]
) -> None:
    site.install("bomb", "print('boom')")
    site.install("good", GOOD.format(name="good"))
    reports = {plugin.name: plugin.status for plugin in discovered(site, selection).plugins}
    assert reports["bomb"] == "blocked"
    assert reports["good"] == ("loaded" if selection.admits({"good"}) else "blocked")
    assert "boom" not in "".join(capsys.readouterr())


def test_what_a_plugin_prints_goes_to_standard_error(site, capsys: pytest.CaptureFixture[str]) -> None:
    site.install("chatty", "print('hello')\n" + GOOD.format(name="chatty"))
    assert discovered(site).plugins[0].status == "loaded"
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


def test_the_environment_selects_plugins() -> None:
    assert PluginSelection.from_environment({}) == PluginSelection()
    assert PluginSelection.from_environment({"SSLREG_PLUGINS": ""}) == PluginSelection(allow=frozenset())
    chosen = PluginSelection.from_environment({"SSLREG_PLUGINS": "a, b", "SSLREG_DISABLE_PLUGINS": "b"})
    assert [chosen.admits({name}) for name in "abc"] == [True, False, False]


def test_every_default_plugin_loads() -> None:
    reports = [plugin for plugin in installed().plugins if plugin.distribution == "sslreg"]
    assert {plugin.name: plugin.error for plugin in reports if plugin.status != "loaded"} == {}
    assert len(reports) == 15


def test_discovery_imports_no_component_and_no_torch() -> None:
    program = (
        "import sys; from sslreg.registry import installed; assert list(installed());"
        "heavy = {'torch', 'torchvision', 'lightning', 'sklearn', 'numba', 'pydantic'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
