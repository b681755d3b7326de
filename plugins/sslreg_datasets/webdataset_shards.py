"""Shards: which there are, what is in one, and how samples are read from them on the way from start to end."""

from __future__ import annotations

import glob
import os
import tarfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import sslreg
from sslreg_datasets.image_folder import image_extensions

#: What reading a tar file that is torn, or is none, raises.
UNREADABLE = (OSError, EOFError, ValueError, tarfile.TarError, zlib.error)
#: What gzip, bzip2, xz and zstd begin with.
COMPRESSED = (b"\x1f\x8b", b"BZ", b"\xfd7", b"(\xb5")
#: How many shards a reader has open at most; the one that was read the longest ago is closed for another.
MOST_OPEN = 64


@dataclass(frozen=True, slots=True)
class Record:
    """A sample as it is in its shard."""

    key: str
    image: bytes
    cls: bytes | None
    json: bytes | None


def require_webdataset(module: str = "gopen") -> Any:
    """A module of the library. ValueError: it is not installed."""
    try:
        return import_module(f"webdataset.{module}")
    except ImportError as error:
        raise ValueError("webdataset is not installed; it comes with: pip install 'sslreg[webdataset]'") from error


def expanded(patterns: str | Sequence[str]) -> list[str]:
    """The shards that patterns stand for, in order. ValueError: none, a missing file, or one shard twice."""
    braces = import_module("braceexpand")
    shards: list[str] = []
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        for shard in braces.braceexpand(pattern):
            shards += [shard] if is_remote(shard) else _files(shard)
    if not shards:
        raise ValueError("shards names no shard; say where they are, for example photos-{000..099}.tar")
    if twice := next((shard for shard in shards if shards.count(shard) > 1), None):
        raise ValueError(f"shards names {twice!r} twice")
    return shards


def is_remote(shard: str) -> bool:
    """Whether webdataset opens the shard by a scheme of its own."""
    scheme, colon, _ = shard.partition(":")
    return bool(colon) and len(scheme) > 1 and scheme.isalnum()


def _files(pattern: str) -> list[str]:
    path = os.path.expanduser(pattern)
    found = sorted(glob.glob(path)) if glob.has_magic(path) and not os.path.exists(path) else [path]
    if pattern and found and os.path.isfile(found[0]):
        return found
    meant = "" if os.path.isabs(path) else f" (that is, {os.path.abspath(path)})"
    raise ValueError(f"there is no shard {pattern!r}{meant}; shards has to name tar files that are there")


def short_name(shard: str) -> str:
    """What a person calls a shard: the last part of its path."""
    return shard.rstrip("/").rpartition("/")[2]


class _Watched:
    """A stream of a tar file that tells whether the file's end was met.

    A tar ends with blocks of zeros. Where it is cut off between two members or within a header, tarfile takes that for
    its end; small members make that likely.
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
        """ReadError: what was read last is no end. Of a compressed file, the decompression knows."""
        if self._first not in COMPRESSED and any(self._last):
            raise tarfile.ReadError("it is cut off")


def records(shard: str) -> Iterator[Record]:
    """The samples of a shard that have an image, in order. `sslreg.UserError`, naming it: it cannot be read on."""
    reading, whole = require_webdataset("tariterators"), 0
    try:
        with closing(_Watched(require_webdataset("gopen").gopen(shard))) as stream:
            files = reading.tar_file_expander([{"url": shard, "stream": stream}])
            for found in reading.group_by_keys(files):
                image = next((data for name, data in found.items() if f".{name}" in image_extensions()), None)
                if image is not None:
                    yield Record(found["__key__"], image, found.get("cls"), found.get("json"))
                    whole += 1
            stream.require_end()
    except UNREADABLE as error:
        reason = error.args[0] if error.args and isinstance(error.args[0], str) else error
        raise sslreg.UserError(
            f"shard {shard} cannot be read beyond its first {whole} samples: {type(error).__name__}: {reason}",
            hint="bring the file there again, or leave it out of shards",
            code="shard",
        ) from error


class _Cursor:
    """A shard that is being read."""

    def __init__(self, shard: int, source: str) -> None:
        self.shard = shard
        self.position = 0
        self._records = records(source)

    def next(self) -> Record | None:
        record = next(self._records, None)
        self.position += 1
        return record

    def close(self) -> None:
        self._records.close()  # type: ignore[attr-defined]  # a generator, which closes its file


class ShardReader:
    """Gives any sample of the shards, and is quick about those that come in the order of `epoch_order`.

    What is passed over on the way to a sample is kept until it is asked for, `keep` samples at most; what is not kept
    any more costs reading its shard again.
    """

    def __init__(self, shards: Sequence[str], counts: Sequence[int], keep: int) -> None:
        self._shards = shards
        self._counts = counts
        self._keep = keep
        self._passed: OrderedDict[tuple[int, int], Record] = OrderedDict()
        self._cursors: list[_Cursor] = []
        self._broken: dict[int, tuple[int, sslreg.UserError]] = {}

    def read(self, shard: int, position: int) -> Record:
        """The sample at a position of a shard. `sslreg.UserError`: the shard ends or is torn before it."""
        if (record := self._passed.pop((shard, position), None)) is not None:
            return record
        if shard in self._broken and position >= self._broken[shard][0]:
            raise self._broken[shard][1]
        cursor = self._cursor(shard, position)
        for passed in range(cursor.position, position):
            self._passed[shard, passed] = self._next(cursor)
            while len(self._passed) > self._keep:
                self._passed.popitem(last=False)
        return self._next(cursor)

    def _cursor(self, shard: int, position: int) -> _Cursor:
        """The nearest one before the position, now the last of the list; a new one if there is none."""
        before = [cursor for cursor in self._cursors if cursor.shard == shard and cursor.position <= position]
        if before:
            cursor = max(before, key=lambda cursor: cursor.position)
            self._cursors.remove(cursor)
        else:
            cursor = _Cursor(shard, self._shards[shard])
            self._broken.pop(shard, None)  # a connection that failed may hold this time
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
                    hint="correct samples, or leave it out to have them counted",
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
