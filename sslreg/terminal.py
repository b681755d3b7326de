"""Output to terminals, pipes and files that stand in for them: no character and no full disk ends a command."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from sslreg.errors import SslregError
from sslreg.escaping import escape_text


class OutputError(SslregError):
    """The standard output cannot be written."""


class OutputStream(io.TextIOBase):
    """A text stream in which characters that its encoding lacks are replaced by question marks.

    Args:
        stream: The stream to write to, None if the process has none.
        required: Whether output that cannot be written is an error. Otherwise it is dropped.
    """

    def __init__(self, stream: IO[str] | None, *, required: bool) -> None:
        self._stream = stream
        self._required = required

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write text. Raises OutputError if the stream is required."""
        encodable = text.encode(self.encoding, "replace").decode(self.encoding)
        if self._stream is not None and text:
            with self._explain_errors():
                self._stream.write(encodable)
        return len(text)

    def flush(self) -> None:
        """Flush the stream. Raises OutputError if the stream is required."""
        if self._stream is not None:
            with self._explain_errors():
                self._stream.flush()

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:  # the reader, such as head, has seen enough
            self.discard()
            if self._required:
                raise
        except OSError as error:
            self.discard()
            if self._required:
                raise OutputError(
                    f"the output cannot be written: {error.strerror or error}",
                    hint="make room on the disk, or write to another place",
                    code="output",
                ) from error

    def discard(self) -> None:
        """Drop what is buffered and all later output, which would fail again when the process ends."""
        with suppress(OSError):
            descriptor = os.open(os.devnull, os.O_WRONLY)
            os.dup2(descriptor, self.fileno())
            os.close(descriptor)


class TerminalConsole(Console):
    """A console that prints text as it is: without markup, without colored words, and with escapes (`escape_text`).

    Standard output must be writable; what cannot be written to standard error is dropped.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, soft_wrap=True, markup=False, emoji=False, highlight=False)

    @property
    def file(self) -> IO[str]:
        """The stream to which the console writes."""
        if self._file is not None:
            return self._file
        stream = sys.stderr if self.stderr else sys.stdout
        stream = getattr(stream, "rich_proxied_file", stream)  # of a progress bar
        return stream if isinstance(stream, OutputStream) else OutputStream(stream, required=not self.stderr)  # type: ignore[return-value]

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def render_str(self, text: str, **options: Any) -> Text:
        """Return text with escapes, before it is laid out."""
        return super().render_str(escape_text(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of a renderable, with escapes."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else escape_text(text), style, control)


@contextmanager
def safe_output() -> Iterator[OutputStream]:
    """Make standard output and standard error safe for everything that is printed within the block, logs included.

    Yields:
        The standard output.
    """
    before = sys.stdout, sys.stderr, logging.lastResort
    sys.stdout = output = OutputStream(sys.stdout, required=True)
    sys.stderr = OutputStream(sys.stderr, required=False)
    logging.lastResort = ConsoleHandler(logging.WARNING)
    try:
        yield output
    finally:
        with suppress(OutputError, BrokenPipeError):
            sys.stdout.flush()
        sys.stdout, sys.stderr, logging.lastResort = before


class ConsoleHandler(logging.Handler):
    """A handler that prints the messages of loggers which have no handler on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        TerminalConsole(stderr=True).print(self.format(record))
