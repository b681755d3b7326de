"""Examines the installed plugins: what is broken or careless about each, and how to mend it."""

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

from sslreg.errors import Diagnostic, UserError
from sslreg.registry import Catalog, ComponentInfo, PluginReport, call_hook
from sslreg.spec.parameters import parameters_of

#: What takes so long to import that a plugin's module should leave it to the modules of its components.
HEAVY = ("torch", "torchvision", "lightning", "sklearn", "scipy", "numba", "pandas")

_IMPORT_ALL = (
    "import importlib, sys\n"
    "for name in sys.argv[1].split(','): importlib.import_module(name)\n"
    f"sys.stdout.write('HEAVY ' + ' '.join(sorted(set({HEAVY}) & set(sys.modules))))"
)


@dataclass(frozen=True)
class Examination:
    """What was found about one plugin. tracebacks: of what it raised."""

    plugin: PluginReport
    findings: tuple[Diagnostic, ...] = ()
    tracebacks: tuple[str, ...] = ()

    @property
    def broken(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """What ``doctor --json`` prints for it."""
        return {
            "name": self.plugin.name,
            "distribution": self.plugin.distribution,
            "version": self.plugin.version,
            "status": self.plugin.status,
            "findings": [
                {"code": found.code, "severity": found.severity, "message": found.message, "hint": found.hint}
                for found in self.findings
            ],
            "tracebacks": list(self.tracebacks),
        }


def examine(catalog: Catalog) -> list[Examination]:
    """Examine every plugin. Imports all of their components."""
    heavy = _heavy_imports([plugin for plugin in catalog.plugins if plugin.status == "loaded" and plugin.module])
    names = Counter(plugin.name for plugin in catalog.plugins)
    examinations = []
    for plugin in catalog.plugins:
        findings = list(_of_loading(plugin))
        tracebacks = [plugin.traceback] if plugin.traceback else []
        if names[plugin.name] > 1:
            findings.append(_shared_name(plugin, catalog))
        if plugin.status == "loaded":
            findings += _of_registration(plugin, catalog, heavy.get(plugin.module, ()))
            for found, raised in [_of_commands(plugin, catalog), *map(_of_target, plugin.components)]:
                findings += found
                tracebacks += raised
        examinations.append(Examination(plugin, tuple(findings), tuple(tracebacks)))
    return examinations


def _of_loading(plugin: PluginReport) -> Iterator[Diagnostic]:
    if plugin.status == "failed":
        yield Diagnostic("broken-plugin", f"it does not load: {plugin.error}", _cure(plugin))


def _cure(plugin: PluginReport) -> str:
    """How to mend a plugin that does not load."""
    error, name = plugin.error or "", plugin.distribution
    keep_out = f"or keep it out: SSLREG_DISABLE_PLUGINS={name or plugin.name}"
    if "of the plugin contract" in error or "lacks the line" in error:
        return f"update {name} and sslreg to versions that go together, {keep_out}"
    if error.startswith("ModuleNotFoundError"):
        own = plugin.module.partition(".")[0]
        if f"'{own}'" in error:
            return f"its entry point leads to no module: reinstall {name}, {keep_out}"
        return f"something that it needs is not installed: reinstall {name} with its dependencies, {keep_out}"
    return f"update {name}, tell its authors what --traceback shows, {keep_out}"


def _shared_name(plugin: PluginReport, catalog: Catalog) -> Diagnostic:
    others = [other.distribution for other in catalog.plugins if other.name == plugin.name and other is not plugin]
    return Diagnostic(
        "shared-name",
        f"{' and '.join(others)} has a plugin of the same name, so allowing or blocking {plugin.name!r} is about both",
        f"allow or block it by its distribution, {plugin.distribution!r}",
        severity="warning",
    )


def _of_registration(plugin: PluginReport, catalog: Catalog, heavy: Sequence[str]) -> Iterator[Diagnostic]:
    if heavy:
        yield Diagnostic(
            "heavy-plugin",
            f"{plugin.module} imports {', '.join(heavy)}, which slows down every command",
            "import them in the modules that its components are in, which are only imported when they are used",
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
        rivals = [other for other in catalog if (other.kind, other.name) == (info.kind, info.name) and other != info]
        for rival in rivals:
            yield Diagnostic(
                "ambiguous-component",
                f"{info.kind} {info.name!r} is provided by {rival.distribution} too, and a spec cannot tell which",
                f"write {info.distribution}:{info.name} in specs, or block one of the plugins",
            )


def _of_commands(plugin: PluginReport, catalog: Catalog) -> tuple[list[Diagnostic], list[str]]:
    """What is wrong with the commands that a plugin adds, and what it raised."""
    error = call_hook(catalog, plugin, "sslreg_cli", app=typer.Typer())
    if error is None:
        return [], []
    message = f"its commands cannot be added: {type(error).__name__}: {error}"
    hint = f"update {plugin.distribution}, or tell its authors what --traceback shows"
    return [Diagnostic("broken-hook", message, hint)], ["".join(traceback.format_exception(error))]


def _of_target(info: ComponentInfo) -> tuple[list[Diagnostic], list[str]]:
    """What is wrong with what a component is made by, and what it raised."""
    try:
        with redirect_stdout(sys.stderr):
            parameters = parameters_of(info)
    except UserError as error:
        raised = "".join(traceback.format_exception(error.__cause__ or error))
        return list(error.diagnostics), [raised]
    if not parameters.unwritable:
        return [], []
    message = f"{info.kind} {info.name!r} needs {', '.join(parameters.unwritable)}, which no spec can give"
    return [Diagnostic("unusable-component", message, "give them defaults, or types that YAML can write")], []


def _heavy_imports(plugins: Iterable[PluginReport]) -> dict[str, list[str]]:
    """What the plugins' modules import that they should not, by module; seen in processes of their own."""
    modules = sorted({plugin.module.partition(":")[0] for plugin in plugins})
    if not modules or not _imported(modules):
        return {}
    return {module: found for module in modules if (found := _imported([module]))}


def _imported(modules: list[str]) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    result = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL, ",".join(modules)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.rpartition("HEAVY ")[2].split() if "HEAVY " in result.stdout else []
