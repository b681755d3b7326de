"""Images in WebDataset's shards: tar files, on disks or in object stores, that are read from start to end."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field, PositiveInt

import sslreg
from sslreg_datasets.webdataset_index import keys_of
from sslreg_datasets.webdataset_order import epoch_order
from sslreg_datasets.webdataset_shards import Record, ShardReader, expanded, require_webdataset, short_name


class WebDataset(sslreg.Dataset):
    """Samples in the shards of a WebDataset, streamed: a shard is read once an epoch, from its start to its end.

    A sample is a run of members that share their name up to its first dot. Its image is the first member with an
    extension that Pillow reads, kept encoded; samples without one do not count. Its label is a class number in
    ``.cls``, or under a key of ``.json``; it may be missing. Names are the shard's and the sample's.

    An epoch has the shards in a random order, and a sample comes up to `shuffle` places later than it is read, all by
    seed and epoch alone. So a resumed run knows what comes next, and opens only the shards that still have some of it.

    shards: a pattern such as ``photos-{000..099}.tar``, or several; paths (with ``*``, too), or what webdataset opens:
        ``https:``, ``gs:``, ``hf:``, ``pipe:COMMAND``. The last runs a command, so read a spec before you train it.
    samples: how many each shard has, one number or one for each. If not given, every shard is read through once to
        count, and what was found is kept in the user's cache folder until the file changes.
    label: the key of the ``.json`` that has the class number; by default ``.cls`` has it, where there is one.
    shuffle: how far samples move, which is how many encoded images a lane holds in memory.
    lanes: how many shards are read side by side. With a multiple of processes times workers, no two of them read the
        same shard, save where one is shared out between two lanes.

    ValueError: webdataset is not installed, a shard is missing, torn or has no images, or lanes do not suit.
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
        self.shards = expanded(shards)
        self.label = label
        self.shuffle = shuffle
        self.lanes = lanes
        # Arrays of bytes: worker processes share their memory, where reading a list's strings would copy them.
        self._keys: list[np.ndarray] | None = None
        if samples is None:
            self._keys = [np.array([os.fsencode(key) for key in keys_of(shard)]) for shard in self.shards]
            counts = [len(keys) for keys in self._keys]
        else:
            counts = samples if isinstance(samples, list) else [samples] * len(self.shards)
            if len(counts) != len(self.shards):
                raise ValueError(f"samples has {len(counts)} numbers, and there are {len(self.shards)} shards")
        self.counts = np.array(counts)
        self._starts = np.cumsum(self.counts) - self.counts
        self._reader: ShardReader | None = None
        self._read_by = os.getpid()

    def __len__(self) -> int:
        return int(self.counts.sum())

    def __getitem__(self, index: int) -> tuple[bytes, int | None]:
        """`sslreg.UserError`, with the sample's name: its shard or its label cannot be read."""
        record = self._own_reader().read(*self._place(index))
        return record.image, self._target(record, index)

    def name(self, index: int) -> str:
        """SHARD/KEY, without the shard's ``.tar``; its number takes the place of a key that was not counted."""
        shard, position = self._place(index)
        key = str(position) if self._keys is None else os.fsdecode(self._keys[shard][position])
        return f"{short_name(self.shards[shard]).removesuffix('.tar')}/{key}"

    def order(self, generator: torch.Generator, batch_size: int, world_size: int) -> torch.Tensor:
        return epoch_order(
            self.counts,
            generator,
            batch_size=batch_size,
            world_size=world_size,
            lanes=self.lanes,
            shuffle=self.shuffle,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None}  # open files are a process's own

    def _own_reader(self) -> ShardReader:
        if self._reader is None or self._read_by != os.getpid():  # a fork would share the files' positions
            # Twice what the lanes need: what is passed over on the way to where a resumed run goes on is kept as well.
            self._reader = ShardReader(self.shards, self.counts.tolist(), keep=2 * self.lanes * self.shuffle)
            self._read_by = os.getpid()
        return self._reader

    def _place(self, index: int) -> tuple[int, int]:
        """A sample's shard and its position there."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return shard, index - int(self._starts[shard])

    def _target(self, record: Record, index: int) -> int | None:
        if self.label is None:
            text = None if record.cls is None else record.cls.decode(errors="replace").strip()
        else:
            text = _value(record.json, self.label, self.name(index))
        if text is None:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise sslreg.UserError(
                f"{self.name(index)}: its label is {text!r}, not a class number",
                hint="write class numbers, or read none with a label key that no sample has",
                code="sample",
            ) from error


def _value(content: bytes | None, key: str, name: str) -> str | None:
    """The value of a key of a JSON object, as text."""
    try:
        found = json.loads(content or b"{}")
    except ValueError as error:
        raise sslreg.UserError(f"{name}: its .json cannot be read: {error}", code="sample") from error
    value = found.get(key) if isinstance(found, dict) else None
    return None if value is None else str(value)
