"""A data set through a function: images to features."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sslreg.assembly import ReplaceUnreadable, SampleDataset, leave_signals_to_parent
from sslreg.assembly.loader_workers import start_method
from sslreg.contracts import Batch, Embeddings, Sample
from sslreg.views import Collate

log = logging.getLogger(__name__)


def embed(
    samples: SampleDataset,
    collate: Collate,
    function: Callable[[Tensor], Tensor],
    *,
    device: torch.device,
    batch_size: int = 256,
    workers: int = 0,
) -> Embeddings:
    """Embed every sample, in order. Those that cannot be read are left out, and named, where the collate skips such.

    collate: makes one view of each sample; function: images (N, C, H, W) on `device` to features (N, D), called without
    gradient. The features come back as float32 on the CPU.
    """
    batches = embed_batches(samples, collate, function, device=device, batch_size=batch_size, workers=workers)
    found = joined(list(batches))
    if left_out := len(samples) - len(found):
        here = set(found.indices.tolist())
        names = [samples.name(index) for index in range(len(samples)) if index not in here]
        log.warning("%d of %d images cannot be read and are left out: %s", left_out, len(samples), some_of(names))
    return found


def embed_batches(
    samples: SampleDataset,
    collate: Collate,
    function: Callable[[Tensor], Tensor],
    *,
    device: torch.device,
    batch_size: int = 256,
    workers: int = 0,
    start: int = 0,
) -> Iterator[Embeddings]:
    """Embed the samples from number `start` on, a batch at a time; otherwise as `embed`.

    An image that stands in for one that cannot be read keeps that one's place in the batch, so that the others have the
    same rounding with and without it, and has no row. A batch may have none.
    """
    loader: DataLoader[tuple[Batch, Tensor]] = DataLoader(
        samples,  # type: ignore[arg-type]  # the collate turns samples into batches
        batch_size=batch_size,
        sampler=range(start, len(samples)),
        num_workers=workers,
        multiprocessing_context=start_method(workers),
        collate_fn=_Numbered(ReplaceUnreadable(collate, samples)),
        worker_init_fn=leave_signals_to_parent,
    )
    for batch, asked in loader:
        with torch.inference_mode():
            features = function(batch.views[0].to(device)).float().cpu()
        own = batch.indices == asked
        targets = None if batch.targets is None else batch.targets[own]
        indices = batch.indices[own]
        yield Embeddings(features[own], targets, indices, [samples.name(int(index)) for index in indices])


class _Numbered:
    """Gives a batch with the numbers of the samples that were asked for."""

    def __init__(self, collate: ReplaceUnreadable) -> None:
        self.collate = collate

    def __call__(self, samples: list[Sample]) -> tuple[Batch, Tensor]:
        made = self.collate(samples)
        assert isinstance(made, Batch)  # what embeds is made on the host
        return made, torch.tensor([sample.index for sample in samples])


def some_of(names: Sequence[str], most: int = 5) -> str:
    """Names in a row, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def joined(parts: Sequence[Embeddings]) -> Embeddings:
    """Embeddings one after another; with targets if all have them."""
    targets = [part.targets for part in parts if part.targets is not None]
    return Embeddings(
        torch.cat([part.features for part in parts]),
        torch.cat(targets) if len(targets) == len(parts) else None,
        torch.cat([part.indices for part in parts]),
        [name for part in parts for name in part.names],
    )
