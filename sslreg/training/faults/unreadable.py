"""What a share of a batch is made of when none of its images can be read: ``data.on_error: skip``."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import torch

from sslreg.assembly import SampleDataset
from sslreg.contracts import Batch, Sample
from sslreg.errors import UserError
from sslreg.views import SKIPPED, Collate, PendingBatch, Skipped

log = logging.getLogger(__name__)

#: So many samples that follow are tried; where none of them can be read either, the data is gone.
TRIED = 1000


def with_stand_ins(collate: Collate, samples: SampleDataset, broken: Sequence[Sample]) -> Batch | PendingBatch:
    """The batch of the samples that follow in the data set, in the views of those that cannot be read.

    What stands in depends on the samples alone, so a run that goes on makes the same batch again. UserError: none of
    the next `TRIED` samples can be read, or the batch cannot be made for another reason.
    """
    skipped = [Skipped(sample.index or 0, reason) for sample in broken if (reason := _fault(collate, sample))]
    if len(skipped) < len(broken):
        return collate(broken)  # which says what else it is
    last = broken[-1]
    following = (
        samples[last.epoch or 0, ((last.index or 0) + step) % len(samples)]
        for step in range(1, min(TRIED, len(samples)) + 1)
    )
    found = list(islice(_readable(collate, following), len(broken)))
    if not found:
        raise UserError(
            f"none of the {len(broken)} images of a process's share of a batch can be read, nor any of the "
            f"{min(TRIED, len(samples))} that follow; the first: {skipped[0].reason}",
            hint="see that the data is where it was",
            code="image",
        )
    log.warning("none of the %d images of a share could be read; others stand in", len(broken))
    sources = [found[number % len(found)] for number in range(len(broken))]
    made = collate([replace(source, index=one.index) for source, one in zip(sources, broken, strict=True)])
    batch = made.batch if isinstance(made, PendingBatch) else made
    batch.indices = torch.tensor([source.index for source in sources])
    batch.extras[SKIPPED] = skipped
    return made


def _readable(collate: Collate, samples: Iterator[Sample]) -> Iterator[Sample]:
    return (sample for sample in samples if _fault(collate, sample) is None)


def _fault(collate: Collate, sample: Sample) -> str | None:
    """Why a sample cannot be read."""
    try:
        collate.load(sample)
    except UserError as error:
        return str(error)
    return None
