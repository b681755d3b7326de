"""Examines the installed plugins: finds what is broken or slow, and explains how to fix it."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import typer

from sslreg.errors import Diagnostic, UserError, describe_error
from sslreg.registry import Catalog, ComponentInfo, PluginReport, call_hook
from sslreg.spec.parameters import parameters_of

#: Packages that take so long to import that only the modules of components should import them.
HEAVY = ("torch", "torchvision", "lightning", "sklearn", "scipy", "numba", "pandas")

_IMPORT_PROGRAM = (
    "import importlib, sys\n"
    "for name in sys.argv[1].split(','): importlib.import_module(name)\n"
    f"sys.stdout.write('HEAVY ' + ' '.join(sorted(set({HEAVY}) & set(sys.modules))))"
)


@dataclass(frozen=True)
class Examination:
    """The result of examining a plugin.

    Attributes:
        plugin: the plugin.
        diagnostics: what is wrong.
        tracebacks: the tracebacks of the exceptions that it raised.
    """

    plugin: PluginReport
    diagnostics: tuple[Diagnostic, ...] = ()
    tracebacks: tuple[str, ...] = ()

    @property
    def broken(self) -> bool:
        return any(diagnostic.severity == "error" for diagnostic in self.diagnostics)

    def as_json(self) -> dict[str, Any]:
        """Return the examination as ``plugins doctor --json`` prints it."""
        return {
            "name": self.plugin.name,
            "distribution": self.plugin.distribution,
            "version": self.plugin.version,
            "status": self.plugin.status,
            "findings": [
                {
                    "code": diagnostic.code,
                    "severity": diagnostic.severity,
                    "message": diagnostic.message,
                    "hint": diagnostic.hint,
                }
                for diagnostic in self.diagnostics
            ],
            "tracebacks": list(self.tracebacks),
        }


def examine(catalog: Catalog) -> list[Examination]:
    """Examine every plugin. This imports all components."""
    heavy = _find_heavy_imports([plugin for plugin in catalog.plugins if plugin.status == "loaded" and plugin.module])
    name_counts = Counter(plugin.name for plugin in catalog.plugins)
    examinations = []
    for plugin in catalog.plugins:
        diagnostics = list(_check_loading(plugin))
        tracebacks = [plugin.traceback] if plugin.traceback else []
        if name_counts[plugin.name] > 1:
            diagnostics.append(_shared_name(plugin, catalog))
        if plugin.status == "loaded":
            diagnostics += _check_registration(plugin, catalog, heavy.get(plugin.module, ()))
            for found, raised in [_check_commands(plugin, catalog), *map(_check_component, plugin.components)]:
                diagnostics += found
                tracebacks += raised
        examinations.append(Examination(plugin, tuple(diagnostics), tuple(tracebacks)))
    return examinations


def _check_loading(plugin: PluginReport) -> Iterator[Diagnostic]:
    if plugin.status == "failed":
        yield Diagnostic("broken-plugin", f"the plugin cannot be loaded: {plugin.error}", _loading_hint(plugin))


def _loading_hint(plugin: PluginReport) -> str:
    error, name = plugin.error or "", plugin.distribution
    disable = f"or disable it: SSLREG_DISABLE_PLUGINS={name or plugin.name}"
    if "of the plugin contract" in error or "lacks the line" in error:
        return f"update {name} and sslreg to compatible versions, {disable}"
    if error.startswith("ModuleNotFoundError"):
        own_package = plugin.module.partition(".")[0]
        if f"'{own_package}'" in error:
            return f"its entry point names a module that does not exist: reinstall {name}, {disable}"
        return f"a package that it needs is not installed: reinstall {name} with its dependencies, {disable}"
    return f"update {name}, report the output of --traceback to its authors, {disable}"


def _shared_name(plugin: PluginReport, catalog: Catalog) -> Diagnostic:
    others = [other.distribution for other in catalog.plugins if other.name == plugin.name and other is not plugin]
    return Diagnostic(
        "shared-name",
        f"{' and '.join(others)} has a plugin with the same name, so allowing or blocking {plugin.name!r} affects both",
        f"allow or block it by its distribution, {plugin.distribution!r}",
        severity="warning",
    )


def _check_registration(plugin: PluginReport, catalog: Catalog, heavy: Sequence[str]) -> Iterator[Diagnostic]:
    if heavy:
        yield Diagnostic(
            "heavy-plugin",
            f"{plugin.module} imports {', '.join(heavy)}, which slows down every command",
            "import them in the modules of the components, which are imported only when they are used",
            severity="warning",
        )
    for info in plugin.components:
        if not info.summary:
            yield Diagnostic(
                "no-summary",
                f"{info.kind} {info.name!r} has no summary",
                f'registry.{info.kind}("{info.name}", …, summary="…")',
                severity="warning",
            )
        others = [other for other in catalog if (other.kind, other.name) == (info.kind, info.name) and other != info]
        for other in others:
            yield Diagnostic(
                "ambiguous-component",
                f"{other.distribution} provides {info.kind} {info.name!r}, too, so the name is ambiguous in specs",
                f"write {info.distribution}:{info.name} in specs, or block one of the plugins",
            )


def _check_commands(plugin: PluginReport, catalog: Catalog) -> tuple[list[Diagnostic], list[str]]:
    """Return diagnostics and tracebacks of the hook that adds commands."""
    error = call_hook(catalog, plugin, "sslreg_cli", app=typer.Typer())
    if error is None:
        return [], []
    message = f"its commands cannot be added: {describe_error(error)}"
    hint = f"update {plugin.distribution}, or report the output of --traceback to its authors"
    return [Diagnostic("broken-hook", message, hint)], ["".join(traceback.format_exception(error))]


def _check_component(info: ComponentInfo) -> tuple[list[Diagnostic], list[str]]:
    """Return diagnostics and tracebacks of importing a component and reading its signature."""
    try:
        with redirect_stdout(sys.stderr):
            parameters = parameters_of(info)
    except UserError as error:
        return list(error.diagnostics), ["".join(traceback.format_exception(error.__cause__ or error))]
    if not parameters.unwritable:
        return [], []
    names = ", ".join(parameters.unwritable)
    message = f"{info.kind} {info.name!r} needs {names}, which a spec cannot set"
    return [Diagnostic("unusable-component", message, "give them defaults, or types that YAML can express")], []


def _find_heavy_imports(plugins: Iterable[PluginReport]) -> dict[str, list[str]]:
    """Return the heavy packages that the modules of plugins import, by module; checked in separate processes."""
    modules = sorted({plugin.module.partition(":")[0] for plugin in plugins})
    if not modules or not _import_heavy(modules):
        return {}
    return {module: heavy for module in modules if (heavy := _import_heavy([module]))}


def _import_heavy(modules: list[str]) -> list[str]:
    """Import modules in a new process and return the heavy packages that are loaded then."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    result = subprocess.run(
        [sys.executable, "-c", _IMPORT_PROGRAM, ",".join(modules)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.rpartition("HEAVY ")[2].split() if "HEAVY " in result.stdout else []
