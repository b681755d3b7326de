"""The registered components and the catalog that finds them by name."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from pluggy import PluginManager

from sslreg.errors import INTERRUPTIONS, Diagnostic, SslregError, UserError, describe_error
from sslreg.registry.kinds import INVARIANCES, KINDS
from sslreg.suggestions import did_you_mean


@dataclass(frozen=True)
class ComponentInfo:
    """A registered component. Its module is imported by `load`, not before.

    Attributes:
        kind: the kind of the component.
        name: its name in specs.
        target: its import string, ``module:attribute``.
        summary: a description of one line.
        plugin: the plugin that registered it.
        distribution: the package that contains the plugin.
        version: the version of that package.
        invariances: for augmentations, the invariances that they teach a model: shape, texture, color.
        removed_in: the version of the package in which a deprecated name is removed.
        replacement: the name to use instead of a deprecated one.
        also_called: names that other libraries give it, for hints; ``*`` stands for any text.
    """

    kind: str
    name: str
    target: str
    summary: str = ""
    plugin: str = ""
    distribution: str = ""
    version: str = ""
    invariances: tuple[str, ...] = ()
    removed_in: str = ""
    replacement: str = ""
    also_called: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} of {self.distribution or self.plugin or 'this program'}"

    def load(self) -> Any:
        """Import the class or function.

        Raises:
            UserError: it cannot be imported.
        """
        module_name, _, attribute = self.target.partition(":")
        try:
            target: Any = importlib.import_module(module_name)
            for name in attribute.split("."):
                target = getattr(target, name)
        except INTERRUPTIONS:
            raise
        except BaseException as error:
            raise UserError(
                f"{self} cannot be imported from {self.target!r}: {describe_error(error)}",
                hint=f"reinstall or update {self.distribution!r}" if self.distribution else None,
                code="broken-component",
            ) from error
        return target

    def broken(self, message: str) -> UserError:
        """Return the error for a component that does not fulfill its contract; `message` names the component."""
        hint = f"update {self.distribution}, or report this to its authors" if self.distribution else None
        return UserError(message, hint=hint, code="broken-component")

    @contextmanager
    def blame(self, part: str) -> Iterator[None]:
        """Name the component and its package in an error for what its code raises in the block.

        A ValueError, which refuses a value, is left to the caller, and a `SslregError` is ready to be read.

        Args:
            part: the part of the component that the block runs, such as ``constructor``.

        Raises:
            UserError: the code raises anything else.
        """
        try:
            yield
        except (*INTERRUPTIONS, SslregError, ValueError):
            raise
        except SystemExit as error:
            raise self.broken(f"the {part} of {self} ends the program; it should raise a ValueError") from error
        except BaseException as error:
            raise self.broken(f"the {part} of {self} raises {describe_error(error)}") from error

    @property
    def deprecation(self) -> str | None:
        """The warning for users of a deprecated name; None if it is not deprecated."""
        if not self.removed_in:
            return None
        advice = f"; use {self.replacement!r}" if self.replacement else ""
        return f"{self} will be removed in version {self.removed_in}{advice}"


class RegistrationError(Exception):
    """An invalid registration in a plugin; for the plugin's author, not for users."""


class Registry:
    """Collects the components of one plugin; passed to its hook `sslreg_register`.

    There is one method per kind (see `sslreg.registry.kinds.KINDS`):
    ``registry.loss("acme_loss", "acme_ssl.loss:AcmeLoss", summary="…")`` registers a loss. Augmentations also state the
    `invariances` that they teach. Users of a deprecated name are warned: ``removed_in="2.0", replacement="new"``.
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
        removed_in: str = "",
        replacement: str = "",
        also_called: tuple[str, ...] = (),
    ) -> None:
        """Register a component; the arguments are those of `ComponentInfo`.

        Raises:
            RegistrationError: an argument is invalid, or the name is registered already.
        """
        if kind not in KINDS:
            raise RegistrationError(_unknown_kind(kind))
        texts = {
            "name": name,
            "target": target,
            "summary": summary,
            "removed_in": removed_in,
            "replacement": replacement,
        }
        if wrong := [argument for argument, text in texts.items() if not isinstance(text, str)]:
            raise RegistrationError(f"{kind} {name!r}: {wrong[0]} is not a text")
        if isinstance(also_called, str) or not all(isinstance(pattern, str) for pattern in also_called):
            raise RegistrationError(f"{kind} {name!r}: also_called is a tuple of names")
        if not name.isidentifier():
            raise RegistrationError(f"{kind} {name!r}: a name may contain only letters, digits and underscores")
        module, _, attribute = target.partition(":")
        if not module or not attribute:
            raise RegistrationError(f"{kind} {name!r}: the target {target!r} is not of the form 'module:attribute'")
        if unknown := [word for word in invariances if word not in INVARIANCES]:
            raise RegistrationError(
                f"{kind} {name!r}: invariances can be {', '.join(INVARIANCES)}, not {', '.join(unknown)}"
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
                removed_in=removed_in,
                replacement=replacement,
                also_called=tuple(also_called),
                **self._origin,
            )
        )

    def __getattr__(self, kind: str) -> Any:
        if kind in KINDS:
            return partial(self.register, kind)
        raise AttributeError(_unknown_kind(kind))


def _unknown_kind(kind: str) -> str:
    return f"there is no kind of component {kind!r}; {did_you_mean(kind, KINDS)}"


def _is_called(info: ComponentInfo, name: str) -> bool:
    """Return whether other libraries give a component this name, in any spelling."""
    spelled = name.lower().replace("_", "").replace("-", "")
    return any(fnmatchcase(spelled, pattern.lower().replace("_", "")) for pattern in info.also_called)


@dataclass(frozen=True)
class PluginReport:
    """The outcome of loading one plugin.

    Attributes:
        name: the name of its entry point.
        distribution: the package that contains it.
        version: the version of that package.
        status: ``loaded``, ``failed``, or ``blocked`` (it was not imported).
        error: why it failed.
        traceback: the traceback of a failure.
        components: the components that it registered.
        module: the module that its entry point names.
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
    """All components of all plugins.

    Attributes:
        plugins: the outcome of loading each plugin.
        manager: the pluggy manager with the hooks of the loaded plugins.
    """

    def __init__(self, plugins: list[PluginReport], manager: PluginManager | None = None) -> None:
        self.plugins = tuple(plugins)
        self.manager = manager

    def __iter__(self) -> Iterator[ComponentInfo]:
        for plugin in self.plugins:
            yield from plugin.components

    def of_kind(self, kind: str) -> list[ComponentInfo]:
        """Return the components of a kind, sorted by name."""
        return sorted((info for info in self if info.kind == kind), key=lambda info: info.name)

    def get(self, kind: str, name: str) -> ComponentInfo:
        """Return a component by its name in specs.

        Args:
            kind: the kind of the component.
            name: its name, or ``distribution:name`` if several packages use the name.

        Raises:
            UserError: there is no such component, or there are several. The message lists components of other kinds
                with this name, similar names, and plugins that may provide the component but failed or are blocked.
        """
        distribution, _, bare_name = name.rpartition(":")
        same_name = [info for info in self.of_kind(kind) if info.name == bare_name]
        matches = [info for info in same_name if distribution in ("", info.distribution)]
        if len(matches) == 1:
            if warning := matches[0].deprecation:
                warnings.warn(warning, FutureWarning, stacklevel=2)
            return matches[0]
        raise UserError(self._ambiguous(matches) if matches else self._unknown(kind, name, bare_name, same_name))

    def _ambiguous(self, matches: list[ComponentInfo]) -> Diagnostic:
        first = matches[0]
        choices = " or ".join(f"'{info.distribution}:{info.name}'" for info in matches)
        return Diagnostic(
            "ambiguous-component",
            f"{first.kind} {first.name!r} is provided by {' and by '.join(info.distribution for info in matches)}",
            hint=f"choose one of them: {choices}",
        )

    def _unknown(self, kind: str, name: str, bare_name: str, same_name: list[ComponentInfo]) -> Diagnostic:
        message = f"no plugin provides the {KINDS[kind].title} {name!r}"
        other_kinds = [info.kind for info in self if info.name == bare_name and info.kind != kind]
        if same_name:
            hint: str | None = f"it is provided by {' and '.join(info.distribution for info in same_name)}"
        elif other_kinds:
            actual = KINDS[other_kinds[0]].title_with_article
            hint = f"{bare_name!r} is {actual}; name {KINDS[kind].title_with_article} here"
        elif known := [info for info in self.of_kind(kind) if _is_called(info, bare_name)]:
            hint = " or ".join(f"use {info.name!r}: {info.summary}" for info in known)
        else:
            hint = did_you_mean(bare_name, {info.name for info in self.of_kind(kind)})
        for plugin in self.plugins:
            if plugin.status == "failed":
                message += f"; {plugin}, which may provide it, failed to load: {plugin.error}"
            elif plugin.status == "blocked":
                message += f"; {plugin} is blocked"
        return Diagnostic("unknown-component", message, hint)
