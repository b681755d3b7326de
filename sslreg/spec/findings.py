"""Collects what is wrong with a spec, so that all of it is said at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sslreg.errors import Diagnostic, UserError
from sslreg.spec.node import Origin


class SpecError(UserError):
    """A spec that cannot be used. sources: the text of the files that the diagnostics point into."""

    def __init__(self, *findings: Diagnostic, sources: Mapping[str, str]) -> None:
        super().__init__(*findings)
        self.sources = dict(sources)


class Findings:
    """The findings so far, and the texts that they point into."""

    def __init__(self) -> None:
        self._found: set[Diagnostic] = set()
        self.sources: dict[str, str] = {}

    def report(
        self,
        origin: Origin,
        code: str,
        message: str,
        hint: str | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> None:
        self.add(origin, Diagnostic(code, message, hint, severity=severity))

    def add(self, origin: Origin, diagnostic: Diagnostic) -> None:
        """Take a finding, placed at `origin` unless it has a place."""
        self._found.add(diagnostic.located(origin.file, origin.line, origin.column))

    def of(self, severity: str) -> tuple[Diagnostic, ...]:
        """The errors or the warnings, in the order of their places."""
        return tuple(sorted((found for found in self._found if found.severity == severity), key=_place))

    def stop(self) -> SpecError:
        """The exception that says all of it."""
        return SpecError(*self.of("error"), *self.of("warning"), sources=self.sources)

    def check(self) -> None:
        """SpecError: there is an error among the findings."""
        if self.of("error"):
            raise self.stop()


def _place(found: Diagnostic) -> tuple[str, int, int, str]:
    return found.file or "", found.line or 0, found.column or 0, found.message
