"""How many samples a shard has, and their keys: read once, then remembered in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

import sslreg
from sslreg_datasets.webdataset_shards import is_remote, records

log = logging.getLogger(__name__)


def keys_of(shard: str) -> list[str]:
    """The keys of a shard's samples, in order. ValueError: it cannot be read to its end, or no sample has an image."""
    stamp, path = _stamp(shard), _cache_of(shard)
    remembered = _remembered(path, stamp)
    if remembered is not None:
        return remembered
    log.info("counting the samples of %s", shard)
    try:
        keys = [record.key for record in records(shard)]
    except sslreg.UserError as error:
        found = error.diagnostics[0]
        raise ValueError(f"{found.message}; {found.hint}") from error
    if not keys:
        raise ValueError(f"shard {shard} has no image; files that count end in .jpg, .png, .webp and the like")
    _remember(path, stamp, keys)
    return keys


def _stamp(shard: str) -> list[int] | None:
    """What changes when a file does; None where it cannot be told."""
    if is_remote(shard):
        return None
    status = os.stat(shard)
    return [status.st_size, status.st_mtime_ns]


def _cache_of(shard: str) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    whole = shard if is_remote(shard) else os.path.abspath(shard)
    return root / "sslreg" / "webdataset" / f"{hashlib.sha256(os.fsencode(whole)).hexdigest()[:32]}.json"


def _remembered(path: Path, stamp: list[int] | None) -> list[str] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        keys: list[str] = content["keys"]
        return keys if content["stamp"] == stamp else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not there, or cut off while it was written: the shard is read again


def _remember(path: Path, stamp: list[int] | None, keys: list[str]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with sslreg.atomic_write(path, shared=True) as draft:
            draft.write_text(json.dumps({"stamp": stamp, "keys": keys}), encoding="utf-8")
    except (OSError, sslreg.SslregError) as error:
        log.warning("the samples of shards will be counted again next time: %s", error)
