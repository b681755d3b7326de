"""What a batch is made of when none of its images can be read: ``data.on_error: skip``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import torch

from sslreg.assembly.sample_dataset import SampleDataset
from sslreg.contracts import Batch, Sample
from sslreg.errors import UserError
from sslreg.views import SKIPPED, Collate, DeferredBatch, Skipped

log = logging.getLogger(__name__)

#: So many samples that follow are tried; where none of them can be read either, the data is gone.
TRIED = 1000


class ReplaceUnreadable:
    """A collate that makes a batch even of samples of which it can read none, where the spec says to skip such.

    The samples that follow in the data set then stand in, in the views of those that cannot be read. Which they are
    depends on the samples alone, so a run that goes on makes the same batch again.

    source: the data set that the samples are of.
    """

    def __init__(self, collate: Collate, source: SampleDataset) -> None:
        self.collate = collate
        self.source = source

    def __call__(self, samples: Sequence[Sample]) -> Batch | DeferredBatch:
        """UserError: none of the next `TRIED` samples can be read either, or the batch cannot be made at all."""
        try:
            return self.collate(samples)
        except UserError:
            skipped = [Skipped(one.index or 0, fault) for one in samples if (fault := self._fault(one))]
            if self.collate.on_error == "raise" or len(skipped) < len(samples):
                raise
        found = self._following(samples[-1], len(samples))
        if not found:
            raise UserError(
                f"none of these {len(samples)} images can be read, nor any of the {min(TRIED, len(self.source))} that "
                f"follow in the data set; the first: {skipped[0].reason}",
                hint="see that the data is where it was",
                code="image",
            )
        log.warning("none of %d images could be read; others stand in", len(samples))
        sources = [found[number % len(found)] for number in range(len(samples))]
        made = self.collate([replace(one, index=broken.index) for one, broken in zip(sources, samples, strict=True)])
        batch = made.batch if isinstance(made, DeferredBatch) else made
        batch.indices = torch.tensor([one.index for one in sources])
        batch.extras[SKIPPED] = skipped
        return made

    def _following(self, last: Sample, count: int) -> list[Sample]:
        """The next samples that can be read, `count` of them at most."""
        size, start = len(self.source), (last.index or 0) + 1
        tried = (self.source[last.epoch or 0, (start + step) % size] for step in range(min(TRIED, size)))
        return list(islice((sample for sample in tried if self._fault(sample) is None), count))

    def _fault(self, sample: Sample) -> str | None:
        """Why a sample cannot be read."""
        try:
            self.collate.load_pixels(sample)
        except UserError as error:
            return str(error)
        return None
