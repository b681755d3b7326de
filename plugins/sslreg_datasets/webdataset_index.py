"""The keys of a shard's samples. Those of a file are cached in the user's cache folder until the file changes."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from pathlib import Path
from typing import Any

import sslreg
from sslreg_datasets.webdataset_shards import is_remote, read_records

log = logging.getLogger(__name__)


def read_keys(shard: str, unused: Counter[str]) -> list[str]:
    """Return the keys of a shard's samples, in order.

    Args:
        shard: Its path or address.
        unused: Counts the members that are not used, see `read_records`.

    Raises:
        ValueError: The shard cannot be read to its end, or no sample has an image.
    """
    if is_remote(shard):  # nothing tells whether it has changed
        return _count(shard, unused)
    status = os.stat(shard)
    version = [status.st_size, status.st_mtime_ns]
    # Another reader may find images in samples that had none. The number is the version of the rules for samples.
    path = sslreg.user_cache_path("webdataset", ["2", shard, *sorted(sslreg.image_extensions())], ".json")
    cached = _read_cache(path, version)
    if cached is not None:
        unused.update(cached[1])
        return cached[0]
    own: Counter[str] = Counter()
    keys = _count(shard, own)
    _write_cache(path, {"version": version, "keys": keys, "unused": own})
    unused.update(own)
    return keys


def _count(shard: str, unused: Counter[str]) -> list[str]:
    log.info("counting the samples of %s", shard)
    try:
        keys = [record.key for record in read_records(shard, unused)]
    except sslreg.UserError as error:
        found = error.diagnostics[0]
        raise ValueError(f"{found.message}; {found.hint}") from error
    if not keys:
        raise ValueError(f"shard {shard} has no image; images end in .jpg, .png, .webp and the like")
    return keys


def _read_cache(path: Path, version: list[int]) -> tuple[list[str], dict[str, int]] | None:
    """Return the keys and the unused members in a cache file; None if it is broken, outdated or from another user."""
    try:
        if not sslreg.is_own_file(path):
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        keys, unused = content["keys"], content["unused"]
        valid = isinstance(keys, list) and keys and all(isinstance(key, str) for key in keys)
        valid = valid and all(type(count) is int for count in unused.values())
        return (keys, unused) if valid and content["version"] == version else None
    # RecursionError for JSON that is nested too deeply.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _write_cache(path: Path, content: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with sslreg.atomic_write(path, shared=True) as draft:
            draft.write_text(json.dumps(content), encoding="utf-8")
    except (OSError, sslreg.SslregError) as error:
        log.warning("the samples of shards will be counted again next time: %s", error)
