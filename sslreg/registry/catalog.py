"""What is known about the components that plugins registered, and finding one of them by name."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pluggy import PluginManager

from sslreg.errors import Diagnostic, UserError
from sslreg.registry.kinds import INVARIANCES, KINDS
from sslreg.suggestions import did_you_mean


@dataclass(frozen=True)
class ComponentInfo:
    """One registered component. Listing it costs nothing: its module is imported by `load` alone.

    kind, name: what a spec calls it; target: its import string, ``module:attribute``; summary: one line;
    plugin, distribution, version: where it comes from; invariances: of shape, texture, color; goes_in: the version
    of the distribution that will not have the name any more, and instead: the name to use in its place.
    """

    kind: str
    name: str
    target: str
    summary: str = ""
    plugin: str = ""
    distribution: str = ""
    version: str = ""
    invariances: tuple[str, ...] = ()
    goes_in: str = ""
    instead: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} of {self.distribution or self.plugin or 'this program'}"

    def load(self) -> Any:
        """The class or function behind `target`. UserError: it cannot be imported."""
        module_name, _, attribute = self.target.partition(":")
        try:
            found: Any = importlib.import_module(module_name)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (Exception, SystemExit) as error:
            raise UserError(
                f"{self} cannot be loaded from {self.target!r}: {type(error).__name__}: {error}",
                hint=f"reinstall or update {self.distribution!r}" if self.distribution else None,
                code="broken-component",
            ) from error
        return found

    @property
    def deprecation(self) -> str | None:
        """What to say to those who still use the name, if it will go."""
        if not self.goes_in:
            return None
        advice = f"; use {self.instead!r}" if self.instead else ""
        return f"{self} goes in version {self.goes_in}{advice}"


class RegistrationError(Exception):
    """A plugin registers something that cannot be registered. Its author reads this, not the user."""


class Registry:
    """What a plugin's `sslreg_register` is handed: one method per kind.

    ``registry.loss("acme_loss", "acme_ssl.loss:AcmeLoss", summary="…")`` registers a loss; the other kinds
    (`sslreg.registry.kinds.KINDS`) have the same method under their own name. Augmentations also name the
    `invariances` that they induce. A name that will go says so to whoever uses it: ``goes_in="2.0", instead="new"``.
    """

    def __init__(self, plugin: str = "", distribution: str = "", version: str = "") -> None:
        self._origin = {"plugin": plugin, "distribution": distribution, "version": version}
        self.components: list[ComponentInfo] = []

    def register(
        self,
        kind: str,
        name: str,
        target: str,
        *,
        summary: str = "",
        invariances: tuple[str, ...] = (),
        goes_in: str = "",
        instead: str = "",
    ) -> None:
        """Register a component of a kind. RegistrationError: the arguments cannot be meant."""
        if kind not in KINDS:
            raise RegistrationError(f"no kind of component is called {kind!r}; {did_you_mean(kind, KINDS)}")
        if not name.isidentifier():
            raise RegistrationError(f"{kind} {name!r}: a name is letters, digits and underscores")
        module, _, attribute = target.partition(":")
        if not module or not attribute:
            raise RegistrationError(f"{kind} {name!r}: the target {target!r} is not 'module:attribute'")
        if strange := [word for word in invariances if word not in INVARIANCES]:
            raise RegistrationError(
                f"{kind} {name!r}: invariances are of {', '.join(INVARIANCES)}, not {', '.join(strange)}"
            )
        if any(info.kind == kind and info.name == name for info in self.components):
            raise RegistrationError(f"{kind} {name!r} is registered twice")
        self.components.append(
            ComponentInfo(
                kind,
                name,
                target,
                summary,
                invariances=tuple(invariances),
                goes_in=goes_in,
                instead=instead,
                **self._origin,
            )
        )

    def __getattr__(self, kind: str) -> Any:
        if kind in KINDS:
            return partial(self.register, kind)
        raise AttributeError(f"no kind of component is called {kind!r}; {did_you_mean(kind, KINDS)}")


@dataclass(frozen=True)
class PluginReport:
    """How one plugin fared: loaded, failed (error and traceback say why), or blocked before its import.

    module: what its entry point names.
    """

    name: str
    distribution: str
    version: str
    status: str
    error: str | None = None
    traceback: str | None = field(default=None, repr=False)
    components: tuple[ComponentInfo, ...] = ()
    module: str = ""

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.distribution} {self.version})"


class Catalog:
    """All components of all plugins. `get` finds one by the name that a spec writes.

    manager: holds the hooks of those that are loaded.
    """

    def __init__(self, plugins: list[PluginReport], manager: PluginManager | None = None) -> None:
        self.plugins = tuple(plugins)
        self.manager = manager

    def __iter__(self) -> Iterator[ComponentInfo]:
        for plugin in self.plugins:
            yield from plugin.components

    def of_kind(self, kind: str) -> list[ComponentInfo]:
        """The components of a kind, by name."""
        return sorted((info for info in self if info.kind == kind), key=lambda info: info.name)

    def get(self, kind: str, name: str) -> ComponentInfo:
        """The component that a spec calls `name`, or ``distribution:name`` where two claim the name.

        UserError: no component, or several, answer to it; the message says what does exist, under which
        kind, and which plugins failed or are blocked and may have provided it.
        """
        distribution, _, bare = name.rpartition(":")
        named = [info for info in self.of_kind(kind) if info.name == bare]
        found = [info for info in named if distribution in ("", info.distribution)]
        if len(found) == 1:
            if warning := found[0].deprecation:
                warnings.warn(warning, FutureWarning, stacklevel=2)
            return found[0]
        raise UserError(self._several(found) if found else self._missing(kind, name, bare, named))

    def _several(self, found: list[ComponentInfo]) -> Diagnostic:
        first = found[0]
        choices = " or ".join(f"'{info.distribution}:{info.name}'" for info in found)
        return Diagnostic(
            "ambiguous-component",
            f"{first.kind} {first.name!r} is provided by {' and by '.join(i.distribution for i in found)}",
            hint=f"say which one: {choices}",
        )

    def _missing(self, kind: str, name: str, bare: str, named: list[ComponentInfo]) -> Diagnostic:
        title = KINDS[kind].title
        message = f"no plugin provides the {title} {name!r}"
        elsewhere = [info.kind for info in self if info.name == bare and info.kind != kind]
        if named:
            hint: str | None = f"it comes from {' and '.join(info.distribution for info in named)}"
        elif elsewhere:
            hint = f"{bare!r} is {_a(KINDS[elsewhere[0]].title)}, and {_a(title)} is wanted here"
        else:
            hint = did_you_mean(bare, {info.name for info in self.of_kind(kind)})
        for plugin in self.plugins:
            if plugin.status == "failed":
                message += f"; {plugin}, which may provide it, failed to load: {plugin.error}"
            elif plugin.status == "blocked":
                message += f"; {plugin} is blocked"
        return Diagnostic("unknown-component", message, hint)


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
