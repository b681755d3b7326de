"""Replaces the images of a batch if none of them can be read (``data.on_error: skip``)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from sslreg.assembly.sample_dataset import SampleDataset
from sslreg.contracts import Batch, Sample
from sslreg.errors import UserError
from sslreg.views import SKIPPED, Collate, DeferredBatch, Skipped

log = logging.getLogger(__name__)

#: How many of the following samples are tried before the data is considered lost.
MAX_TRIED = 1000


class ReplaceUnreadable:
    """A collate function that makes a batch even if none of its samples can be read, provided the spec skips such.

    `Collate` replaces an unreadable image by another of its batch. If there is none, this class uses the readable
    samples that follow in the data set. Their views are sampled with the keys of the samples that they replace. The
    replacements depend on the samples alone, so a resumed run makes the same batch.

    Args:
        collate: the collate function.
        source: the data set of the samples.
    """

    def __init__(self, collate: Collate, source: SampleDataset) -> None:
        self.collate = collate
        self.source = source

    def __call__(self, samples: Sequence[Sample]) -> Batch | DeferredBatch:
        """Make a batch.

        Raises:
            UserError: none of the next `MAX_TRIED` samples can be read either, or the batch fails for another reason.
        """
        try:
            return self.collate(samples)
        except UserError as error:
            skipped = [Skipped(sample.index or 0, reason) for sample in samples if (reason := self._read_error(sample))]
            if self.collate.on_error == "raise" or len(skipped) < len(samples):
                raise self._name_sample(samples, error) from error
        readable = self._following_readable(samples[-1], len(samples))
        if not readable:
            raise UserError(
                f"none of these {len(samples)} images can be read, nor any of the "
                f"{min(MAX_TRIED, len(self.source))} that follow in the data set; the first: {skipped[0].reason}",
                hint="check that the data is still where it was",
                code="image",
            )
        log.warning("none of %d images can be read; the following ones replace them", len(samples))
        replacements = [readable[number % len(readable)] for number in range(len(samples))]
        collated = self.collate([replace(new, index=old.index) for new, old in zip(replacements, samples, strict=True)])
        batch = collated.batch if isinstance(collated, DeferredBatch) else collated
        batch.indices = torch.tensor([sample.index for sample in replacements])
        batch.extras[SKIPPED] = skipped
        return collated

    def _following_readable(self, last: Sample, count: int) -> list[Sample]:
        """Return up to `count` readable samples that follow `last` in the data set."""
        size, start = len(self.source), (last.index or 0) + 1
        tried = (self.source[last.epoch or 0, (start + step) % size] for step in range(min(MAX_TRIED, size)))
        return list(islice((sample for sample in tried if self._read_error(sample) is None), count))

    def _name_sample(self, samples: Sequence[Sample], error: UserError) -> UserError:
        """Return the error with the name of the sample that cannot be read, unless the error names a file."""
        for sample in samples:
            if isinstance(sample.image, str | Path | UserError) or self._read_error(sample) is None:
                continue
            first = error.diagnostics[0]
            message = f"{self.source.origin}, sample {self.source.name(sample.index or 0)}: {first.message}"
            return UserError(message, hint=first.hint, code=first.code)
        return error

    def _read_error(self, sample: Sample) -> str | None:
        """Return why a sample cannot be read; None if it can."""
        try:
            self.collate.load_pixels(sample)
        except UserError as error:
            return str(error)
        return None
