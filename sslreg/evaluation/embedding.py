"""Embeds data sets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sslreg.assembly import ReplaceUnreadable, SampleDataset
from sslreg.assembly.loader_workers import ErrorReturningCollate, WorkerError, loader_worker_options
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
    """Embed a data set in order.

    If the collate function skips unreadable images, they are left out and logged.

    Args:
        samples: the data set.
        collate: makes one view of each sample.
        function: computes features (N, D) of images (N, C, H, W) on `device`; called without gradients.
        device: where features are computed.
        batch_size: the number of images per call of `function`.
        workers: the number of processes that load images.

    Returns:
        The features as float32 on the CPU.

    Raises:
        UserError: an image cannot be read and is not skipped.
    """
    batches = embed_batches(samples, collate, function, device=device, batch_size=batch_size, workers=workers)
    embeddings = concatenate(list(batches))
    warn_about_unreadable(samples, embeddings.indices.tolist())
    return embeddings


def warn_about_unreadable(samples: SampleDataset, embedded: Collection[int]) -> None:
    """Log how many images of a data set have no embeddings, and the first of them, if there are any.

    Args:
        samples: the data set.
        embedded: the indices of the images that have embeddings.
    """
    if missing := len(samples) - len(embedded):
        readable = set(embedded)
        names = [samples.name(index) for index in range(len(samples)) if index not in readable]
        log.warning(
            "%d of %d images cannot be read and are left out: %s", missing, len(samples), abbreviate_list(names)
        )


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
    """Embed a data set in order and yield one batch at a time.

    A batch may be empty, since unreadable images that are skipped are left out.

    Args:
        start: the index of the first sample; the other arguments are those of `embed`.
    """
    batches = extract_features(
        samples, collate, function, device=device, batch_size=batch_size, workers=workers, start=start
    )
    for features, batch, readable in batches:
        targets = None if batch.targets is None else batch.targets[readable]
        indices = batch.indices[readable]
        yield Embeddings(features[readable], targets, indices, [samples.name(int(index)) for index in indices])


def extract_features(
    samples: SampleDataset,
    collate: Collate,
    function: Callable[[Tensor], Tensor],
    *,
    device: torch.device,
    batch_size: int,
    workers: int,
    start: int = 0,
) -> Iterator[tuple[Tensor, Batch, Tensor]]:
    """Yield for each batch of a data set, in order, its features, the batch, and the rows to keep, bool (N,).

    An unreadable image that is skipped is replaced by another image, so that the rounding of the other images in the
    batch does not depend on it. Its row is not to be kept.

    Args:
        function: computes features (N, …); the other arguments are those of `embed_batches`.
    """
    loader: DataLoader[Any] = DataLoader(
        samples,  # the collate function turns samples into batches
        batch_size=batch_size,
        sampler=range(start, len(samples)),
        collate_fn=ErrorReturningCollate(_CollateWithIndices(ReplaceUnreadable(collate, samples))),
        **loader_worker_options(workers),
    )
    for loaded in loader:
        if isinstance(loaded, WorkerError):
            loaded.reraise()
        batch, requested = loaded
        with torch.inference_mode():
            features = function(batch.views[0].to(device)).float().cpu()
        yield features, batch, batch.indices == requested


class _CollateWithIndices:
    """A collate function that returns, with a batch, the indices of the requested samples."""

    def __init__(self, collate: ReplaceUnreadable) -> None:
        self.collate = collate

    def __call__(self, samples: list[Sample]) -> tuple[Batch, Tensor]:
        batch = self.collate(samples)
        assert isinstance(batch, Batch)  # the collate function has no device, so it defers nothing
        return batch, torch.tensor([sample.index for sample in samples])


def abbreviate_list(names: Sequence[str], most: int = 5) -> str:
    """Return the first names, separated by commas, and the number of the others."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def concatenate(parts: Sequence[Embeddings]) -> Embeddings:
    """Concatenate embeddings. The result has targets if all parts have targets."""
    targets = [part.targets for part in parts if part.targets is not None]
    return Embeddings(
        torch.cat([part.features for part in parts]),
        torch.cat(targets) if len(targets) == len(parts) else None,
        torch.cat([part.indices for part in parts]),
        [name for part in parts for name in part.names],
    )
