"""A data set through a function: images to features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sslreg.assembly import SampleDataset, leave_signals_to_parent
from sslreg.assembly.start_method import start_method
from sslreg.contracts import Batch, Embeddings
from sslreg.views import Collate


def embed(
    samples: SampleDataset,
    collate: Collate,
    function: Callable[[Tensor], Tensor],
    *,
    device: torch.device,
    batch_size: int = 256,
    workers: int = 0,
) -> Embeddings:
    """Embed every sample, in order.

    collate: makes one view of each sample; function: images (N, C, H, W) on `device` to features (N, D), called without
    gradient. The features come back as float32 on the CPU.
    """
    batches = embed_batches(samples, collate, function, device=device, batch_size=batch_size, workers=workers)
    return joined(list(batches))


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
    """Embed the samples from number `start` on, a batch at a time; otherwise as `embed`."""
    loader: DataLoader[Batch] = DataLoader(
        samples,  # type: ignore[arg-type]  # the collate turns samples into batches
        batch_size=batch_size,
        sampler=range(start, len(samples)),
        num_workers=workers,
        multiprocessing_context=start_method(workers),
        collate_fn=collate,
        worker_init_fn=leave_signals_to_parent,
    )
    for batch in loader:
        with torch.inference_mode():
            features = function(batch.views[0].to(device)).float().cpu()
        yield Embeddings(features, batch.targets, batch.indices, [samples.name(int(index)) for index in batch.indices])


def joined(parts: Sequence[Embeddings]) -> Embeddings:
    """Embeddings one after another; with targets if all have them."""
    targets = [part.targets for part in parts if part.targets is not None]
    return Embeddings(
        torch.cat([part.features for part in parts]),
        torch.cat(targets) if len(targets) == len(parts) else None,
        torch.cat([part.indices for part in parts]),
        [name for part in parts for name in part.names],
    )
