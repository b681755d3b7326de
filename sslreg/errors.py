"""Errors that a user reads. Each says what is wrong, where, and how to fix it.

A user's mistake never ends in a traceback. The code that detects the mistake raises `UserError` with one or more
`Diagnostic`s. The command line prints them and exits with the error's `exit_status`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from sslreg.escaping import escape_text


@dataclass(frozen=True)
class Diagnostic:
    """One error or warning, with its location in a file if it has one.

    Attributes:
        code: a short, stable identifier for programs, such as ``unknown-key``.
        message: what is wrong.
        hint: how to fix it.
        file: the file that contains the problem.
        line: the line in that file, counted from 1.
        column: the column in that line, counted from 1.
        severity: an ``error`` stops the work, a ``warning`` does not.
    """

    code: str
    message: str
    hint: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        location = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        text = f"{location}: {self.message}" if location else self.message
        return escape_text(f"{text}\n  hint: {self.hint}" if self.hint else text)

    def with_location(self, file: str | None, line: int | None, column: int | None) -> Diagnostic:
        """Return the diagnostic with a location; a location that it already has is kept."""
        return self if self.line is not None else replace(self, file=file, line=line, column=column)

    def as_json(self) -> dict[str, Any]:
        """Return the diagnostic as ``--format json`` prints it."""
        return asdict(self)


class SslregError(Exception):
    """A failure while running; the process exits with status 1.

    Args:
        diagnostics: ready diagnostics, or messages from which diagnostics are made.
        hint: the hint of diagnostics that are made from messages.
        code: the code of diagnostics that are made from messages.
    """

    exit_status = 1
    #: The contents of the files that the diagnostics refer to, by file name, as far as known.
    sources: Mapping[str, str] = {}

    def __init__(self, *diagnostics: Diagnostic | str, hint: str | None = None, code: str = "failed") -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(
            diagnostic if isinstance(diagnostic, Diagnostic) else Diagnostic(code, diagnostic, hint)
            for diagnostic in diagnostics
        )
        super().__init__("\n".join(str(diagnostic) for diagnostic in self.diagnostics))

    def with_hint(self, hint: str) -> Self:
        """Return the error with `hint` appended to the hint of its last diagnostic."""
        *others, last = self.diagnostics
        error = type(self)(*others, replace(last, hint=f"{last.hint}; {hint}" if last.hint else hint))
        error.sources = self.sources
        return error


class Interruption(BaseException):
    """Base class of what ends the work on request rather than because of a fault."""


#: What ends the work without a fault of the code that it is raised in.
INTERRUPTIONS = (KeyboardInterrupt, Interruption)


def type_name(value: object) -> str:
    """Return the name of an object's type, even if its metaclass or its ``__class__`` raises or lies."""
    name: str = type.__dict__["__name__"].__get__(type(value))
    return name


def describe_error(error: BaseException) -> str:
    """Return the type and the message of an exception, even if its ``__str__`` raises, without torch's C++ stack."""
    try:
        text = str(error).partition("\nException raised from ")[0]
    except INTERRUPTIONS:
        raise
    except BaseException as other:  # noqa: BLE001 - the exception may come from any plugin
        text = f"its message cannot be shown, because __str__ raises {type_name(other)}"
    return f"{type_name(error)}: {text}" if text else type_name(error)


class UserError(SslregError):
    """A mistake in the spec, the arguments or the data that the user named; the process exits with status 2."""

    exit_status = 2


class InterruptedRunError(SslregError):
    """A run that a signal stopped and that can be resumed; the process exits with status 75 (EX_TEMPFAIL).

    Attributes:
        signal: the signal's number, if known.
    """

    exit_status = 75
    signal: int | None = None


class StoppedRunError(SslregError):
    """A run that a second interrupt stopped at once; the process exits with status 130, as shells do after Ctrl-C."""

    exit_status = 130


def out_of_memory_error(error: MemoryError | None = None) -> SslregError:
    """Return the error of a process that got no memory from the machine."""
    detail = f": {error}" if str(error or "") else ""
    return SslregError(
        f"the machine has no memory left{detail}",
        hint="make batches or images smaller, lower data.workers, or end other programs",
        code="out-of-memory",
    )
