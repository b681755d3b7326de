"""A data set through a function: images to features."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sslreg.assembly import SampleDataset
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
    loader: DataLoader[Batch] = DataLoader(
        samples,  # type: ignore[arg-type]  # the collate turns samples into batches
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=collate,
    )
    features, targets, indices = [], [], []
    with torch.inference_mode():
        for batch in loader:
            features.append(function(batch.views[0].to(device)).float().cpu())
            targets.append(batch.targets)
            indices.append(batch.indices)
    known = [target for target in targets if target is not None]
    order = torch.cat(indices)
    return Embeddings(
        torch.cat(features),
        torch.cat(known) if len(known) == len(targets) else None,
        order,
        [samples.name(int(index)) for index in order],
    )
