"""The keys of a shard's samples: read once, then cached in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path

import sslreg
from sslreg_datasets.webdataset_shards import is_remote, read_records

log = logging.getLogger(__name__)


def read_keys(shard: str) -> list[str]:
    """Return the keys of a shard's samples, in order.

    Raises:
        ValueError: The shard cannot be read to its end, or no sample has an image.
    """
    version, path = _file_version(shard), _cache_path(shard)
    cached = _read_cache(path, version)
    if cached is not None:
        return cached
    log.info("counting the samples of %s", shard)
    try:
        keys = [record.key for record in read_records(shard)]
    except sslreg.UserError as error:
        found = error.diagnostics[0]
        raise ValueError(f"{found.message}; {found.hint}") from error
    if not keys:
        raise ValueError(f"shard {shard} has no image; images end in .jpg, .png, .webp and the like")
    _write_cache(path, version, keys)
    return keys


def _file_version(shard: str) -> list[int] | None:
    """Return size and time of a file, which change with it; None for a remote shard."""
    if is_remote(shard):
        return None
    status = os.stat(shard)
    return [status.st_size, status.st_mtime_ns]


def _cache_path(shard: str) -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = shard if is_remote(shard) else os.path.abspath(shard)
    # Another reader may find images in samples that had none.
    identity = "\0".join([name, *sorted(sslreg.image_extensions())])
    return root / "sslreg" / "webdataset" / f"{hashlib.sha256(os.fsencode(identity)).hexdigest()[:32]}.json"


def _read_cache(path: Path, version: list[int] | None) -> list[str] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        keys: list[str] = content["keys"]
        return keys if content["version"] == version else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # missing, or truncated while it was written: the shard is read again


def _write_cache(path: Path, version: list[int] | None, keys: list[str]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with sslreg.atomic_write(path, shared=True) as draft:
            draft.write_text(json.dumps({"version": version, "keys": keys}), encoding="utf-8")
    except (OSError, sslreg.SslregError) as error:
        log.warning("the samples of shards will be counted again next time: %s", error)
