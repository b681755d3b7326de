"""Images in the shards of a WebDataset: tar files, on disks or in object stores, read from start to end."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from copy import copy
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field, PositiveInt

import sslreg
from sslreg_datasets._packed_strings import PackedStrings
from sslreg_datasets.webdataset_index import read_keys
from sslreg_datasets.webdataset_order import epoch_order
from sslreg_datasets.webdataset_shards import Record, ShardReader, expand_patterns, require_webdataset, short_name

log = logging.getLogger(__name__)

#: How many extensions of unused members a warning lists.
_LISTED = 10


class WebDataset(sslreg.Dataset):
    """Samples in the shards of a WebDataset, streamed: each shard is read once per epoch, from start to end.

    A sample consists of consecutive members whose names agree up to the first dot. Its image is the first member with
    a single extension that an installed reader claims, as in ``dog.jpg``. If there is none, every image is a sample,
    as in ``dog.1.jpg`` and ``dog.2.jpg``. Arrays (``.npy``) are images only if a sample has no others. The label,
    which may be missing, is a class number in ``.cls``, or under a key of ``.json``. The name is SHARD/KEY. When
    samples are counted, members of samples without an image, and images that are not used, are counted in a warning.

    An epoch reads the shards in a random order, and moves each sample back by up to `shuffle` positions. The order
    depends on seed and epoch alone. A resumed run therefore knows which sample is next, and opens only the shards that
    still have samples to read.

    Args:
        shards: a pattern such as ``photos-{000..099}.tar``, or several; paths, also with ``*``, or addresses that
            webdataset opens: ``https:``, ``gs:``, ``hf:``, ``pipe:COMMAND``. The last one runs a command, of which
            `check` warns; it must be written out in the spec, since ``*`` finds files only.
        samples: the number of samples per shard, one number or one for each shard. If omitted, each shard is read once
            to count them. For a file, the result is kept in the user's cache folder until the file changes; remote
            shards are counted at every start.
        label: the key of the ``.json`` that has the class number; by default the class number is in ``.cls``.
        shuffle: the number of positions by which samples move at most, and of encoded images that a lane holds in
            memory.
        lanes: the number of shards that are read at the same time. With a multiple of processes times workers, no two
            workers read the same shard, except one that is divided between two lanes.

    Raises:
        ValueError: webdataset is not installed, a shard is missing, broken or has no images, or the processes cannot
            share the lanes.
    """

    def __init__(
        self,
        shards: str | list[str],
        samples: PositiveInt | list[PositiveInt] | None = None,
        label: str | None = None,
        shuffle: Annotated[int, Field(ge=0)] = 1000,
        lanes: PositiveInt = 1,
        world_size: Annotated[int, sslreg.FromRun("world_size")] = 1,
    ) -> None:
        require_webdataset()
        if lanes > 1 and lanes % world_size:
            raise ValueError(f"lanes: {lanes} cannot be shared by {world_size} processes; use a multiple of them")
        self.shards = expand_patterns(shards)
        self.label = label
        self.shuffle = shuffle
        self.lanes = lanes
        self._keys: list[PackedStrings] | None = None
        if samples is None:
            unused: Counter[str] = Counter()
            self._keys = [PackedStrings(read_keys(shard, unused)) for shard in self.shards]
            counts = [len(keys) for keys in self._keys]
            if unused:
                log.warning(
                    "%d members of the shards are not used, because they belong to no image or their sample has "
                    "another one: %s",
                    unused.total(),
                    ", ".join(f"{count} {extension}" for extension, count in unused.most_common(_LISTED)),
                )
        else:
            counts = samples if isinstance(samples, list) else [samples] * len(self.shards)
            if len(counts) != len(self.shards):
                raise ValueError(f"samples has {len(counts)} numbers, and there are {len(self.shards)} shards")
        self.counts = np.array(counts)
        self._starts = np.cumsum(self.counts) - self.counts
        self._rows: np.ndarray | None = None
        self._reader: ShardReader | None = None
        self._read_by = os.getpid()

    def __len__(self) -> int:
        return int(self.counts.sum()) if self._rows is None else len(self._rows)

    def __getitem__(self, index: int) -> tuple[bytes, int | None]:
        """Return a sample's encoded image and its target.

        Raises:
            sslreg.UserError: The shard or the label cannot be read; the message names the sample.
        """
        shard, position = self._locate(index)
        record = self._open_reader().read(shard, position)
        if self._keys is not None and record.key != self._keys[shard][position]:
            raise sslreg.UserError(
                f"shard {self.shards[shard]} has {record.key!r} in place of {self.name(index)!r}",
                hint="it has changed since its samples were counted: start again, and if that does not help, remove "
                "the folder sslreg/webdataset from your cache folder",
                code="shard",
            )
        return record.image, self._target(record, index)

    def name(self, index: int) -> str:
        """Return SHARD/KEY, without ``.tar``; if samples were not counted, the sample's number instead of its key."""
        shard, position = self._locate(index)
        key = str(position) if self._keys is None else self._keys[shard][position]
        return f"{short_name(self.shards[shard]).removesuffix('.tar')}/{key}"

    def order(self, generator: torch.Generator, batch_size: int, world_size: int) -> torch.Tensor:
        return epoch_order(
            self.counts if self._rows is None else np.bincount(self._shards_of(self._rows), minlength=len(self.counts)),
            generator,
            batch_size=batch_size,
            world_size=world_size,
            lanes=self.lanes,
            shuffle=self.shuffle,
        )

    def select(self, rows: np.ndarray) -> WebDataset:
        """Return a data set of some of the samples, which are read in the order of their shards, as all are.

        An epoch still reads every shard with one of these samples from start to end.
        """
        selected = copy(self)
        selected._rows = rows if self._rows is None else self._rows[rows]
        selected._reader = None
        return selected

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None}  # open files belong to a process

    def _open_reader(self) -> ShardReader:
        if self._reader is None or self._read_by != os.getpid():  # a fork would share the files' positions
            # Twice what the lanes need: a resumed run also keeps the samples that it skips on the way to its position.
            self._reader = ShardReader(self.shards, self.counts.tolist(), 2 * self.lanes * self.shuffle, self._wanted())
            self._read_by = os.getpid()
        return self._reader

    def _locate(self, index: int) -> tuple[int, int]:
        """Return a sample's shard and its position there."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        row = index if self._rows is None else int(self._rows[index])
        shard = int(self._shards_of(row))
        return shard, row - int(self._starts[shard])

    def _shards_of(self, rows: Any) -> Any:
        """Return the numbers of the shards of samples."""
        return np.searchsorted(self._starts, rows, side="right") - 1

    def _wanted(self) -> list[np.ndarray] | None:
        """Return for each shard which of its samples are selected (N,), bool; None if all are."""
        if self._rows is None:
            return None
        wanted = np.zeros(int(self.counts.sum()), dtype=bool)
        wanted[self._rows] = True
        return np.split(wanted, self._starts[1:])

    def _target(self, record: Record, index: int) -> int | None:
        if self.label is None:
            text = None if record.cls is None else record.cls.decode(errors="replace").strip()
        else:
            text = _read_label(record.json, self.label, self.name(index))
        if text is None:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise sslreg.UserError(
                f"{self.name(index)}: its label is {text!r}, not a class number",
                hint="write class numbers, or name a label key that no sample has to read no labels",
                code="sample",
            ) from error


def _read_label(content: bytes | None, key: str, name: str) -> str | None:
    """Return the value of a key of a JSON object as text."""
    try:
        found = json.loads(content or b"{}")
    except ValueError as error:
        raise sslreg.UserError(f"{name}: its .json cannot be read: {error}", code="sample") from error
    value = found.get(key) if isinstance(found, dict) else None
    return None if value is None else str(value)
