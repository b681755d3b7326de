"""What goes wrong, said so that it can be mended: what, where, how.

A user's mistake never ends in a traceback. The code that notices it raises `UserError` with one or more
`Diagnostic`s; the command line prints them and exits with their exception's `exit_status`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self


@dataclass(frozen=True)
class Diagnostic:
    """One finding, with its place in a file where it has one.

    code: a short, stable word for programs (``unknown-key``); message: what is wrong; hint: how to mend it;
    line and column count from 1; severity: an ``error`` stops the work, a ``warning`` does not.
    """

    code: str
    message: str
    hint: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text}\n  hint: {self.hint}" if self.hint else text

    def located(self, file: str | None, line: int | None, column: int | None) -> Diagnostic:
        """The same finding at a place, unless it has one already."""
        return self if self.line is not None else replace(self, file=file, line=line, column=column)

    def as_json(self) -> dict[str, Any]:
        """What ``--format json`` prints for it."""
        return asdict(self)


class SslregError(Exception):
    """Something failed while running; the process ends with status 1.

    Made from a message (and a hint), or from ready diagnostics.
    """

    exit_status = 1
    #: The texts that the diagnostics point into, by file, where they were kept.
    sources: Mapping[str, str] = {}

    def __init__(self, *findings: Diagnostic | str, hint: str | None = None, code: str = "failed") -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(
            finding if isinstance(finding, Diagnostic) else Diagnostic(code, finding, hint) for finding in findings
        )
        super().__init__("\n".join(str(diagnostic) for diagnostic in self.diagnostics))

    def then(self, advice: str) -> Self:
        """The same error, whose last finding ends with one more piece of advice."""
        *others, last = self.diagnostics
        error = type(self)(*others, replace(last, hint=f"{last.hint}; {advice}" if last.hint else advice))
        error.sources = self.sources
        return error


class UserError(SslregError):
    """The spec, the arguments or the data that the user named are wrong; the process ends with status 2."""

    exit_status = 2


class InterruptedRunError(SslregError):
    """A signal stopped a run that can go on; the process ends with status 75, which says so (EX_TEMPFAIL).

    signal: its number, where it is known.
    """

    exit_status = 75
    signal: int | None = None


class StoppedRunError(SslregError):
    """A second interrupt stopped a run at once; the process ends with status 130, as shells have it for Ctrl-C."""

    exit_status = 130


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint that names the nearest of `known`, or all of them when none is near and they are few."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(repr(name) for name in near)}?"
    if 0 < len(known) <= 12:
        return f"known here: {', '.join(known)}"
    return None
