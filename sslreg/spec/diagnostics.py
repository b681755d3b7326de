"""Collects what is wrong with a spec, so that all of it is said at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from sslreg.errors import Diagnostic, UserError
from sslreg.spec.tree import Origin


class SpecError(UserError):
    """A spec that cannot be used. sources: the text of the files that the diagnostics point into."""

    def __init__(self, *findings: Diagnostic, sources: Mapping[str, str]) -> None:
        super().__init__(*findings)
        self.sources = dict(sources)


class Findings:
    """The findings so far. sources: the texts that they point into; errors: how often one was reported."""

    def __init__(self) -> None:
        self._found: dict[Diagnostic, None] = {}
        self.sources: dict[str, str] = {}
        self.errors = 0

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
        self._found[diagnostic.with_location(origin.file, origin.line, origin.column)] = None
        self.errors += diagnostic.severity == "error"

    def of(self, severity: str) -> tuple[Diagnostic, ...]:
        """The errors or the warnings, in the order of their places; those of the files read first come first."""
        files = {file: number for number, file in enumerate(self.sources)}

        def place(found: Diagnostic) -> tuple[int, int, int]:
            return files.get(found.file or "", -1), found.line or 0, found.column or 0

        return tuple(sorted((found for found in self._found if found.severity == severity), key=place))

    def stop(self) -> SpecError:
        """The exception that says all of it."""
        return SpecError(*self.of("error"), *self.of("warning"), sources=self.sources)

    def check(self) -> None:
        """SpecError: there is an error among the findings."""
        if self.errors:
            raise self.stop()
