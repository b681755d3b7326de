"""The choice of a reader for an encoded image, among all that are installed."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sslreg.contracts.reader import Reader, Source
from sslreg.errors import SslregError, UserError, describe_error, type_name
from sslreg.images.convert import Background
from sslreg.registry import ComponentInfo, PluginReport, installed
from sslreg.spec.sections import MAX_PIXELS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NamedReader:
    """A reader and the component that it was built from."""

    info: ComponentInfo
    reader: Reader


class Readers:
    """The installed readers, one of which is chosen for each encoded image, and how the images are interpreted.

    A copy that is pickled into another process has the same readers.

    Args:
        preferred: Readers that settle ties, the most preferred first. They replace those of the same component that
            would otherwise be built without parameters.
        max_pixels: The largest number of pixels in an image that they may decode.
        range: The levels that mean black and white in all images; None for those that the reader states.
        background: What is behind transparent pixels; ``random`` for a color that each view draws.
    """

    def __init__(
        self,
        preferred: Sequence[NamedReader] = (),
        max_pixels: int = MAX_PIXELS,
        *,
        range: tuple[float, float] | None = None,
        background: Background | Literal["random"] = None,
    ) -> None:
        self._preferred = tuple(preferred)
        self.max_pixels = max_pixels
        self.range = range
        self.background = background
        self._all: tuple[NamedReader, ...] | None = None

    @property
    def all(self) -> tuple[NamedReader, ...]:
        """All readers, the preferred ones first."""
        if self._all is None:
            if not self._preferred:
                return installed_readers()
            named = {each.info for each in self._preferred}
            self._all = (*self._preferred, *(each for each in installed_readers() if each.info not in named))
        return self._all

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_all": self.all}

    def choose(self, source: Source) -> Reader:
        """Return the reader of an image.

        It is the only one that matches the first bytes; of several, the only one that claims the extension; of several
        again, the preferred one.

        Raises:
            UserError: No reader matches, or several match and none of them is preferred.
        """
        name, head = source.name, source.head
        matching = [each for each in self.all if _matches(each, name, head)]
        if len(matching) > 1:
            extension = os.path.splitext(name)[1].lower()
            matching = [each for each in matching if extension in each.reader.extensions] or matching
            if len(matching) > 1 and matching[0] not in self._preferred:
                raise _ambiguous(source, matching)
        if not matching:
            raise _unknown(source, self.all)
        return matching[0].reader


def _matches(named: NamedReader, name: str, head: bytes) -> bool:
    """Return whether a reader matches. One that raises does not, and a warning names it once."""
    try:
        return bool(named.reader.matches(name, head))
    except Exception as error:  # noqa: BLE001 - a broken plugin must not keep others from reading
        if named.info not in _warned:
            _warned.add(named.info)
            log.warning("%s is left out: its method matches raises %s", named.info, describe_error(error))
        return False


def _ambiguous(source: Source, matching: Sequence[NamedReader]) -> UserError:
    names = [each.info.name for each in matching]
    first = matching[0].info
    use = first.name if names.count(first.name) == 1 else f"{first.distribution}:{first.name}"
    return UserError(
        f"{source} can be read by {' and by '.join(str(each.info) for each in matching)}",
        hint=f"choose one in the spec, for example data.readers: [{{use: {use}}}]",
        code="image",
    )


def _unknown(source: Source, readers: Sequence[NamedReader]) -> UserError:
    names = ", ".join(sorted(each.info.name for each in readers)) or "none"
    return UserError(
        f"{source} cannot be read: no installed reader knows its format (installed: {names})",
        hint="see that it is an image; for other formats install a plugin that has a reader, or write one with: "
        "sslreg plugins new NAME --kind reader",
        code="image",
    )


_warned: set[ComponentInfo] = set()
_cache: tuple[tuple[PluginReport, ...], tuple[NamedReader, ...]] | None = None


def installed_readers() -> tuple[NamedReader, ...]:
    """Return the readers of all plugins, each built once without parameters.

    A reader that cannot be built is left out, with a warning.
    """
    global _cache
    catalog = installed()
    if _cache is None or _cache[0] is not catalog.plugins:
        _cache = catalog.plugins, tuple(filter(None, map(_build, catalog.of_kind("reader"))))
    return _cache[1]


def _build(info: ComponentInfo) -> NamedReader | None:
    try:
        with info.blame("constructor"):
            reader = info.load()()
            if not issubclass(type(reader), Reader):
                raise info.broken(f"{info}: {type_name(reader)} is not an sslreg.Reader")
            frozenset(reader.extensions)
    except (SslregError, ValueError) as error:  # a broken plugin must not keep others from reading
        log.warning("%s is left out: %s", info, describe_error(error))
        return None
    return NamedReader(info, reader)


def image_extensions() -> frozenset[str]:
    """Return the extensions that the installed readers claim, lower-case and with their dot."""
    return frozenset(extension for each in installed_readers() for extension in each.reader.extensions)
