"""Collects the errors and warnings of a spec, so that all of them are reported at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from sslreg.errors import Diagnostic, UserError
from sslreg.spec.tree import Location


class SpecError(UserError):
    """A spec that cannot be used.

    Args:
        diagnostics: the errors, and the warnings found along with them.
        sources: the contents of the files that the diagnostics refer to, by file name.
    """

    def __init__(self, *diagnostics: Diagnostic, sources: Mapping[str, str]) -> None:
        super().__init__(*diagnostics)
        self.sources = dict(sources)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the keyword, too, so that the error passes from worker processes."""
        return partial(SpecError, sources=self.sources), self.diagnostics


class DiagnosticCollector:
    """The distinct diagnostics that have been reported so far.

    Attributes:
        sources: the contents of the files that have been read, by file name.
        error_count: how many errors have been reported, repeated ones included.
    """

    def __init__(self) -> None:
        self._diagnostics: dict[Diagnostic, None] = {}
        self.sources: dict[str, str] = {}
        self.error_count = 0

    def report(
        self,
        location: Location,
        code: str,
        message: str,
        hint: str | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> None:
        """Add a diagnostic at a location."""
        self.add(location, Diagnostic(code, message, hint, severity=severity))

    def add(self, location: Location, diagnostic: Diagnostic) -> None:
        """Add a diagnostic; it gets `location` unless it has a location already."""
        self._diagnostics[diagnostic.with_location(location.file, location.line, location.column)] = None
        self.error_count += diagnostic.severity == "error"

    def select(self, severity: str) -> tuple[Diagnostic, ...]:
        """Return the errors or the warnings, ordered by file (in the order of reading), line and column."""
        file_order = {file: number for number, file in enumerate(self.sources)}

        def position(diagnostic: Diagnostic) -> tuple[int, int, int]:
            return file_order.get(diagnostic.file or "", -1), diagnostic.line or 0, diagnostic.column or 0

        selected = (diagnostic for diagnostic in self._diagnostics if diagnostic.severity == severity)
        return tuple(sorted(selected, key=position))

    def to_exception(self) -> SpecError:
        """Return an exception with all diagnostics, errors before warnings."""
        return SpecError(*self.select("error"), *self.select("warning"), sources=self.sources)

    def raise_errors(self) -> None:
        """Raise `SpecError` if an error has been reported."""
        if self.error_count:
            raise self.to_exception()
