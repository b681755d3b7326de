"""Finding shards, and reading their samples from start to end."""

from __future__ import annotations

import glob
import logging
import os
import tarfile
import zlib
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

import sslreg

log = logging.getLogger(__name__)

#: The exceptions of reading a file that is a truncated tar file, or none.
UNREADABLE = (OSError, EOFError, ValueError, tarfile.TarError, zlib.error)
#: The first bytes of gzip, bzip2, xz and zstd.
COMPRESSED = (b"\x1f\x8b", b"BZ", b"\xfd7", b"(\xb5")
#: The largest number of shards that a reader keeps open; it closes the least recently read one for another.
MOST_OPEN = 64


@dataclass(frozen=True, slots=True)
class Record:
    """A sample as stored in its shard."""

    key: str
    image: bytes
    cls: bytes | None
    json: bytes | None


def require_webdataset(module: str = "gopen") -> Any:
    """Import a module of webdataset.

    Raises:
        ValueError: The library is not installed.
    """
    try:
        return import_module(f"webdataset.{module}")
    except ImportError as error:
        raise ValueError("webdataset is not installed; it comes with: pip install 'sslreg[webdataset]'") from error


def expand_patterns(patterns: str | Sequence[str]) -> list[str]:
    """Return the shards that match patterns, in order: the absolute paths of files, and addresses as written.

    Raises:
        ValueError: There is none, a file is missing, or a shard is named twice.
    """
    braces = import_module("braceexpand")
    shards: list[str] = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        for shard in braces.braceexpand(pattern):
            shards += [_require_plain_scheme(shard, pattern)] if is_remote(shard) else _find_files(shard)
    if not shards:
        raise ValueError("shards names no shard; write their paths, for example photos-{000..099}.tar")
    if repeated := next((shard for shard in shards if shards.count(shard) > 1), None):
        raise ValueError(f"shards names {repeated!r} twice")
    return shards


def is_remote(shard: str) -> bool:
    """Return whether the shard has a scheme, such as ``https:``, for webdataset to open; an absolute path has none."""
    scheme, colon, _ = shard.partition(":")
    return bool(colon) and len(scheme) > 1 and scheme.isalnum()


def _require_plain_scheme(shard: str, pattern: str) -> str:
    """Return the address of a shard whose pattern shows its scheme, so that nobody overlooks a command.

    Raises:
        ValueError: The scheme comes from braces.
    """
    scheme = shard.partition(":")[0]
    if not pattern.startswith(f"{scheme}:"):
        raise ValueError(f"shard {pattern!r} hides its scheme in braces; start it with {scheme}:")
    return shard


def _find_files(pattern: str) -> list[str]:
    """Return the absolute paths of the regular files that match a pattern.

    A file may have any name, also ``pipe:COMMAND.tar``. Its absolute path is never taken for an address.
    """
    path = os.path.expanduser(pattern)
    found = sorted(glob.glob(path)) if glob.has_magic(path) and not os.path.exists(path) else [path]
    files = [os.path.abspath(name) for name in found if os.path.isfile(name)]
    if not pattern or not files:
        absolute = "" if os.path.isabs(path) else f" (that is, {os.path.abspath(path)})"
        raise ValueError(f"there is no shard {pattern!r}{absolute}; shards has to name existing tar files")
    if len(files) < len(found):
        log.warning("%d matches of %r are skipped, since they are not regular files", len(found) - len(files), pattern)
    return files


def short_name(shard: str) -> str:
    """Return the last part of a shard's path."""
    return shard.rstrip("/").rpartition("/")[2]


class _EndCheckingStream:
    """A stream of a tar file that can tell whether the file is complete.

    A tar file ends with blocks of zeros. tarfile takes a file that is truncated between two members or within a header
    for complete, which is likely if members are small.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._first = b""
        self._last = b""

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size)
        self._first = self._first or data[:2]
        self._last = (self._last + data)[-tarfile.BLOCKSIZE :]
        return data

    def close(self) -> None:
        self._stream.close()

    def require_end(self) -> None:
        """Check that the data read last are the end of a tar file; decompression checks compressed files.

        Raises:
            ReadError: The file is truncated.
        """
        if self._first not in COMPRESSED and any(self._last):
            raise tarfile.ReadError("it is truncated")


def _open(shard: str) -> Any:
    if is_remote(shard):
        return require_webdataset("gopen").gopen(shard)
    if not os.path.isfile(shard):
        raise FileNotFoundError("it is missing or not a regular file")
    return open(shard, "rb")


def read_records(shard: str, unused: Counter[str] | None = None) -> Iterator[Record]:
    """Yield the samples of a shard that have an image, in order.

    Args:
        shard: Its path or address.
        unused: Counts, by their extensions, the images that are not used because their sample has another one, and
            the members of samples without an image.

    Raises:
        sslreg.UserError: The shard cannot be read any further; the message names it.
    """
    iterators, count = require_webdataset("tariterators"), 0
    extensions = sslreg.image_extensions()
    try:
        with closing(_EndCheckingStream(_open(shard))) as stream:
            files = iterators.tar_file_expander([{"url": shard, "stream": stream}])
            for key, members in _group_members(files):
                for record in _make_records(key, members, extensions, Counter() if unused is None else unused):
                    yield record
                    count += 1
            stream.require_end()
    except UNREADABLE as error:
        reason = error.args[0] if error.args and isinstance(error.args[0], str) else error
        raise sslreg.UserError(
            f"shard {shard} cannot be read beyond its first {count} samples: {type(error).__name__}: {reason}",
            hint="copy the file again, or remove it from shards",
            code="shard",
        ) from error


#: The extensions of NumPy's arrays.
_ARRAYS = ("npy", "npz")

#: The members of a sample by the rest of their names after the key: (``left``, ``jpg``) for ``dog.left.jpg``.
_Members = dict[tuple[str, str], bytes]


def _group_members(files: Iterable[dict[str, Any]]) -> Iterator[tuple[str, _Members]]:
    """Yield the samples: consecutive members whose names agree up to the first dot.

    Raises:
        ValueError: A sample has two members of the same name.
    """
    key, members = "", _Members()
    for file in files:
        if not file:  # the end of the shard
            continue
        folder, slash, name = file["fname"].rpartition("/")
        base, _, rest = name.partition(".")
        stem, _, extension = rest.rpartition(".")
        if folder + slash + base != key and members:
            yield key, members
            members = _Members()
        key = folder + slash + base
        if (stem, extension.lower()) in members:
            raise ValueError(f"{file['fname']} is a duplicate file name")
        members[stem, extension.lower()] = file["data"]
    if members:
        yield key, members


def _make_records(key: str, members: _Members, extensions: Collection[str], unused: Counter[str]) -> Iterator[Record]:
    """Yield the samples of members that agree up to the first dot.

    An image with a single extension is the image of the sample, as in ``dog.jpg`` and ``dog.seg.png``. If there is
    none, names contain dots, and every image is a sample: ``dog.1.jpg`` and ``dog.2.jpg``. An array is an image if
    there is no other: next to one, it is more likely a feature.
    """
    readable = [name for name in members if key.rpartition("/")[2] and f".{name[1]}" in extensions]
    images: _Members = {}
    for stem, extension in [name for name in readable if name[1] not in _ARRAYS] or readable:
        if all(stem != other for other, _ in images):
            images[stem, extension] = members[stem, extension]
    if chosen := next((name for name in images if not name[0]), None):
        images = {chosen: images[chosen]}
    for stem, extension in members:
        is_image = f".{extension}" in extensions
        if not images or (is_image and (stem, extension) not in images):
            unused[f".{extension}" if not stem or not images else f".{stem}.{extension}"] += 1
    for (stem, _), data in images.items():
        cls, json = (members.get((stem, part), members.get(("", part))) for part in ("cls", "json"))
        yield Record(f"{key}.{stem}" if stem else key, data, cls, json)


class _Cursor:
    """A position in a shard."""

    def __init__(self, shard: int, source: str) -> None:
        self.shard = shard
        self.position = 0
        self._records = read_records(source)

    def next(self) -> Record | None:
        record = next(self._records, None)
        self.position += 1
        return record

    def close(self) -> None:
        self._records.close()  # type: ignore[attr-defined]  # a generator, which closes its file


class ShardReader:
    """Random access to the samples of shards that is fast in the order of `epoch_order`.

    Samples that are skipped on the way to a requested one are kept until they are requested, `keep` samples at most.
    To return a sample that was dropped, its shard is read again.

    Args:
        shards: Their paths or addresses.
        counts: The number of samples of each.
        keep: The largest number of skipped samples to keep.
        wanted: For each shard which of its samples (N,), bool, will be requested; None if all may be.
    """

    def __init__(
        self, shards: Sequence[str], counts: Sequence[int], keep: int, wanted: Sequence[np.ndarray] | None = None
    ) -> None:
        self._shards = shards
        self._counts = counts
        self._keep = keep
        self._wanted = wanted
        self._skipped: OrderedDict[tuple[int, int], Record] = OrderedDict()
        self._cursors: list[_Cursor] = []
        self._broken: dict[int, tuple[int, sslreg.UserError]] = {}

    def read(self, shard: int, position: int) -> Record:
        """Return the sample at a position of a shard.

        Raises:
            sslreg.UserError: The shard ends or is broken before it.
        """
        if (record := self._skipped.pop((shard, position), None)) is not None:
            return record
        if shard in self._broken and position >= self._broken[shard][0]:
            raise self._broken[shard][1]
        cursor = self._cursor(shard, position)
        for skipped in range(cursor.position, position):
            record = self._next(cursor)
            if self._wanted is None or self._wanted[shard][skipped]:
                self._skipped[shard, skipped] = record
            while len(self._skipped) > self._keep:
                self._skipped.popitem(last=False)
        return self._next(cursor)

    def _cursor(self, shard: int, position: int) -> _Cursor:
        """Return the nearest cursor before the position, or a new one, and move it to the end of the list."""
        before = [cursor for cursor in self._cursors if cursor.shard == shard and cursor.position <= position]
        if before:
            cursor = max(before, key=lambda cursor: cursor.position)
            self._cursors.remove(cursor)
        else:
            cursor = _Cursor(shard, self._shards[shard])
            self._broken.pop(shard, None)  # a connection that failed may succeed this time
        self._cursors.append(cursor)
        if len(self._cursors) > MOST_OPEN:
            self._cursors.pop(0).close()
        return cursor

    def _next(self, cursor: _Cursor) -> Record:
        shard, position = cursor.shard, cursor.position
        try:
            record = cursor.next()
            if record is None:
                raise sslreg.UserError(
                    f"shard {self._shards[shard]} has {position} samples, and samples says {self._counts[shard]}",
                    hint="correct samples, or omit it to have them counted",
                    code="shard",
                )
        except sslreg.UserError as error:
            self._broken[shard] = (position, error)
            self._close(cursor)
            raise
        if cursor.position == self._counts[shard]:
            self._close(cursor)
        return record

    def _close(self, cursor: _Cursor) -> None:
        cursor.close()
        self._cursors.remove(cursor)
