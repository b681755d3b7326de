"""Chooses samples for the parts of a split and for subsets, by hashes of their names or groups.

A sample's part depends on its name or group, the shares and the seed alone. Therefore it stays the same when other
samples are added, and the shares hold in expectation for every class.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sslreg.assembly.builder import Builder
from sslreg.assembly.sample_dataset import SampleDataset
from sslreg.spec import ComponentSpec, Spec, SplitSpec

#: How many missing classes a warning names.
_MAX_NAMED_CLASSES = 5


class DatasetBuilder:
    """Builds the data sets of a spec, each once. The parts of a split share the data set that they come from.

    Args:
        builder: builds the components of the spec.

    Attributes:
        built: the data sets that have been built, by their roles.
    """

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._whole: dict[str, SampleDataset] = {}
        self.built: dict[str, SampleDataset] = {}

    def build(self, role: str) -> SampleDataset:
        """Return a data set.

        Args:
            role: train, reference or test.

        Raises:
            UserError: the spec has no such data set, it cannot be built, or a part of it is empty.
        """
        if role not in self.built:
            data = self._builder.spec.data
            if data.validation is None:
                self._build_whole_role(role)
                self.built |= self._whole
            elif role == "train":
                self.built[role] = self._build_whole_role(role)
            else:
                self.built |= self._hold_out(self._build_whole_role(data.whole_reference), data.validation)
        return self.built[role]

    def _build_whole_role(self, role: str) -> SampleDataset:
        """Return a data set without regard to ``data.validation``."""
        if role not in self._whole:
            spec = self._builder.spec
            component = spec.data.find_whole(role)
            if component is None:
                raise spec.error(("data",), "no-such-split", f"the spec names no data.{role}")
            samples = self.build_whole(component)
            if spec.data.split is not None and component is spec.data.train:
                self._whole |= self._divide(samples, spec.data.split)
            else:
                self._whole[role] = samples
        return self._whole[role]

    def build_whole(self, component: ComponentSpec) -> SampleDataset:
        """Return a new data set, or the subset of it that a spec asks for, before any split."""
        samples = SampleDataset(self._builder.build(component), component.info)
        subset = component.keys["subset"]
        if subset is None:
            return samples
        try:
            return samples.select(*choose_subset(samples, subset))
        except ValueError as error:
            raise self._builder.spec.error((*component.path, "subset"), "bad-subset", str(error)) from error

    def _divide(self, samples: SampleDataset, split: SplitSpec) -> dict[str, SampleDataset]:
        parts = divide(samples, split.shares, f"split {split.seed}")
        return self._select(samples, parts, "data.train", "split", "use other shares or another seed")

    def _hold_out(self, samples: SampleDataset, share: float) -> dict[str, SampleDataset]:
        """Divide the reference set into the part that stays and the part on which evaluators are tested."""
        parts = divide(samples, {"test": share}, "validation")
        return self._select(
            samples,
            {"reference": parts["train"], "test": parts["test"]},
            "the reference set",
            "validation",
            "use another share, or name more samples",
        )

    def _select(
        self,
        samples: SampleDataset,
        parts: Mapping[str, tuple[NDArray[np.int64], int]],
        whole: str,
        key: str,
        hint: str,
    ) -> dict[str, SampleDataset]:
        """Return parts of a data set. Raises UserError if one is empty.

        Args:
            samples: the data set.
            parts: the rows and the fingerprint of each part.
            whole: the name of the data set in messages.
            key: what divides it, a key of ``data``.
            hint: what to change if a part is empty.
        """
        unit = "group" if samples.has_groups else "name"
        for role, (rows, _) in parts.items():
            if not len(rows):
                raise self._builder.spec.error(
                    ("data", key),
                    "empty-part",
                    f"of {len(samples)} samples of {whole}, none is in the part {role}, to which the hash of a "
                    f"sample's {unit} assigns it",
                    hint,
                )
        return {role: samples.select(rows, fingerprint) for role, (rows, fingerprint) in parts.items()}


def build_datasets(spec: Spec) -> dict[str, SampleDataset]:
    """Return the data sets of a spec by their roles: train, and reference and test if the spec has them."""
    builder = DatasetBuilder(Builder(spec))
    roles = [role for role in ("train", "reference", "test") if spec.data.find(role) is not None]
    return {role: builder.build(role) for role in roles}


def choose_subset(samples: SampleDataset, subset: int | float) -> tuple[NDArray[np.int64], int]:
    """Return the rows of a subset in ascending order, and a fingerprint of their names.

    A larger subset contains a smaller one.

    Args:
        samples: the data set.
        subset: the number of samples, an int, or their share, a float.

    Raises:
        ValueError: the data set has fewer samples, or none is chosen.
    """
    hashes = hash_texts((samples.name(index) for index in range(len(samples))), "subset")
    if isinstance(subset, float):
        rows = np.flatnonzero(_to_unit(hashes) < subset)
    elif subset <= len(samples):
        rows = np.sort(np.argsort(hashes, kind="stable")[:subset])
    else:
        raise ValueError(f"a subset of {subset} samples is larger than the data set, which has {len(samples)}")
    if not len(rows):
        raise ValueError(f"a share of {subset:g} of {len(samples)} samples has no sample")
    return rows, _fingerprint(hashes, rows)


def divide(samples: SampleDataset, shares: Mapping[str, float], salt: str) -> dict[str, tuple[NDArray[np.int64], int]]:
    """Return the rows of each part in ascending order, with a fingerprint of their names or groups.

    The samples that no share takes are the part ``train``.

    Args:
        samples: the data set. If it has groups, all samples of a group are in one part.
        shares: the share of each other part.
        salt: another one gives other parts.
    """
    texts = samples.group if samples.has_groups else samples.name
    hashes = hash_texts((texts(index) for index in range(len(samples))), salt)
    position, start = _to_unit(hashes), 0.0
    rows = {}
    for role, share in shares.items():
        rows[role] = np.flatnonzero((position >= start) & (position < start + share))
        start += share
    rows = {"train": np.flatnonzero(position >= start), **rows}
    return {role: (own, _fingerprint(hashes, own)) for role, own in rows.items()}


def hash_texts(texts: Iterable[str], salt: str) -> NDArray[np.uint64]:
    """Return the BLAKE2b hashes, of 64 bits, of texts after a salt."""
    prefix = f"{salt}\0".encode()
    digests = (hashlib.blake2b(prefix + text.encode(errors="surrogatepass"), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), dtype="<u8")


def _to_unit(hashes: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return hashes as numbers in [0, 1]."""
    return hashes / 2.0**64


def _fingerprint(hashes: NDArray[np.uint64], rows: NDArray[np.int64]) -> int:
    return zlib.crc32(hashes[rows].tobytes())


def count_samples(parts: Mapping[str, SampleDataset]) -> dict[str, dict[str, int]]:
    """Return the number of samples of data sets, and the fingerprints of parts and subsets, for a lock."""
    return {
        role: {"samples": len(samples)} | ({} if samples.fingerprint is None else {"fingerprint": samples.fingerprint})
        for role, samples in parts.items()
    }


def describe_parts(parts: Mapping[str, SampleDataset]) -> str:
    """Return the numbers of samples and groups of data sets: ``train 80 samples in 9 groups, test 20 in 2``."""
    described: list[str] = []
    for role, samples in parts.items():
        groups = f" in {len(set(map(samples.group, range(len(samples)))))} groups" if samples.has_groups else ""
        described.append(f"{role} {len(samples):,}{'' if described else ' samples'}{groups}")
    return ", ".join(described)


def describe_missing_classes(parts: Mapping[str, SampleDataset]) -> list[str]:
    """Return a warning for each part of a division that lacks classes of the others, as far as classes are known."""
    counts = {role: samples.count_classes() for role, samples in parts.items()}
    present = {role: set(np.flatnonzero(count).tolist()) for role, count in counts.items() if count is not None}
    classes = set[int]().union(*present.values())
    return [
        f"{len(missing)} of {len(classes)} classes have no sample in the part {role}: "
        + _abbreviate([repr(parts[role].class_name(number)) for number in sorted(missing)])
        for role, own in present.items()
        if (missing := classes - own)
    ]


def _abbreviate(names: Sequence[str]) -> str:
    """Return the first names, separated by commas."""
    return ", ".join([*names[:_MAX_NAMED_CLASSES], *["…"] * (len(names) > _MAX_NAMED_CLASSES)])
