"""Feature indexes in the user's cache, so that those of a run are embedded once."""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import sslreg
from sslreg_browser.feature_encoder import FeatureEncoder
from sslreg_browser.feature_index import FeatureIndex, choose_images

log = logging.getLogger(__name__)

#: The largest number of bytes of all cached indexes together. The ones that were used least recently are removed.
MAX_BYTES = 2_000_000_000

#: The version of the content.
_VERSION = "1"


class IndexCache:
    """The place of one index in the user's cache.

    It is found again as long as the checkpoint, the spec, the names of the images and their number are the same. A file
    that is damaged, or belongs to another user, is ignored. Nothing in it is executed.

    Args:
        run: The run.
        encoder: The encoder of its features.
        most: The largest number of images of the index.
    """

    def __init__(self, run: sslreg.Run, encoder: FeatureEncoder, most: int) -> None:
        self._encoder = encoder
        self.split, self._samples, rows = choose_images(run, most)
        names = hashlib.sha256()
        for row in rows:
            names.update(f"{self._samples.name(row)}\0".encode(errors="surrogatepass"))
        checkpoint = encoder.checkpoint.stat()
        identity = [
            *(_VERSION, sslreg.__version__, str(encoder.checkpoint.absolute()), str(checkpoint.st_mtime_ns)),
            *(str(checkpoint.st_size), run.spec.to_yaml(), *encoder.subjects, self.split),
            *(str(len(self._samples)), str(len(rows)), names.hexdigest()),
        ]
        self.path = sslreg.user_cache_path("features", identity, ".npz")

    def load(self) -> FeatureIndex | None:
        """Return the index; None if it is not there."""
        try:
            if not sslreg.is_own_file(self.path):
                return None
            with np.load(self.path, allow_pickle=False) as arrays:
                index = self._unpack(dict(arrays))
            self.path.touch()  # it was used last
            return index
        except FileNotFoundError:
            return None
        # A damaged file raises whatever zipfile, numpy and json raise at it.
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as reason:
            log.info("a damaged cache of features is ignored: %r", reason)
            return None

    def save(self, index: FeatureIndex) -> None:
        """Write an index, and remove the oldest ones if all need too much space. What cannot be written is not kept."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with sslreg.atomic_write(self.path) as draft, draft.open("wb") as file:
                np.savez(file, **_pack(index))
            _remove_oldest(self.path.parent)
        except OSError as reason:
            log.info("features are not kept for the next time: %s", reason)

    def _unpack(self, arrays: dict[str, NDArray[Any]]) -> FeatureIndex:
        facts = json.loads(bytes(arrays["facts"]))
        count = len(arrays["indices"])
        features = {subject: torch.from_numpy(arrays[f"features {subject}"]) for subject in self._encoder.subjects}
        thumbnails = _split_bytes(arrays["thumbnails"], arrays["thumbnail_ends"])
        lists = (*features.values(), thumbnails, facts["names"], facts["labels"])
        if count == 0 or any(len(one) != count for one in lists):
            raise ValueError("the parts have different lengths")
        index = FeatureIndex(
            split=self.split,
            samples=self._samples,
            indices=arrays["indices"].tolist(),
            names=[str(name) for name in facts["names"]],
            labels=[None if label is None else str(label) for label in facts["labels"]],
            thumbnails=thumbnails,
            features=features,
            pixel_mean=torch.from_numpy(arrays["pixel_mean"]),
            unreadable=[(str(name), str(reason)) for name, reason in facts["unreadable"]],
        )
        index.make_map()
        if "points" in arrays:
            index.place(arrays["points"], str(facts["method"]))
        return index


def _pack(index: FeatureIndex) -> dict[str, Any]:
    facts: dict[str, Any] = {"names": index.names, "labels": index.labels, "unreadable": index.unreadable}
    arrays: dict[str, NDArray[Any]] = {
        "indices": np.array(index.indices, np.int64),
        "pixel_mean": index.pixel_mean.numpy(),
        "thumbnails": np.frombuffer(b"".join(index.thumbnails), np.uint8),
        "thumbnail_ends": np.cumsum([len(one) for one in index.thumbnails]),
        **{f"features {subject}": own.numpy() for subject, own in index.features.items()},
    }
    if index.has_final_map and index.map is not None:
        arrays["points"] = np.array(index.map.points)
        facts["method"] = index.map.method
    return arrays | {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}


def _split_bytes(joined: NDArray[Any], ends: NDArray[Any]) -> list[bytes]:
    starts: Sequence[int] = [0, *ends[:-1].tolist()]
    content = joined.tobytes()
    return [content[start:end] for start, end in zip(starts, ends.tolist(), strict=True)]


def _remove_oldest(folder: Path) -> None:
    files = sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for number, path in enumerate(files):
        total += path.stat().st_size
        if number and total > MAX_BYTES:
            path.unlink(missing_ok=True)
