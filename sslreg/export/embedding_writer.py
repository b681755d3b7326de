"""Embedding of a whole data set into one file, part by part.

Memory holds one part, and an interruption loses one at most.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from sslreg.assembly import SampleDataset, blame_components, build_embed_collate
from sslreg.contracts import Embeddings
from sslreg.errors import SslregError, UserError
from sslreg.evaluation import concatenate, embed_batches
from sslreg.export.data_selection import SelectedData
from sslreg.export.npz_writer import write_npz
from sslreg.export.parquet_writer import require_pyarrow, write_parquet
from sslreg.export.partial_results import Parts
from sslreg.runs import Run
from sslreg.runs.run import require_patches

log = logging.getLogger(__name__)

#: The number of images in a batch.
BATCH = 256

#: The number of batches in a part. Parts end where batches do: an image then has the same other images in its batch,
#: and with them the same rounding, whenever it is embedded.
BATCHES = 16

#: The same for patches. Those of a batch take as much memory as the embeddings of many.
PATCH_BATCHES = 1


@dataclass(frozen=True)
class EmbeddingFile:
    """The content of an embedding file.

    Attributes:
        rows: The number of images.
        width: The width of a feature vector.
        skipped: The names of unreadable images, if the spec's ``data.on_error`` skips them.
        resumed: The number of images that an earlier, interrupted command had embedded.
        grid: The numbers of rows and columns of patches; None for embeddings of images.
    """

    rows: int
    width: int
    skipped: list[str]
    resumed: int
    grid: tuple[int, int] | None = None


def require_format(out: Path) -> None:
    """Check the name and the folder of an embedding file.

    Raises:
        UserError: The name does not end in .npz or .parquet, the folder does not exist, or pyarrow is missing.
    """
    if out.suffix not in (".npz", ".parquet"):
        raise UserError(f"--out {out}: the file's name must end in .npz or .parquet", code="bad-argument")
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}", code="bad-argument")
    if out.suffix == ".parquet":
        require_pyarrow()


def write_embeddings(
    run: Run,
    data: SelectedData,
    out: Path,
    *,
    device: torch.device,
    patches: bool = False,
    on_progress: Callable[[int], None] = lambda done: None,
    batches: int | None = None,
) -> EmbeddingFile:
    """Embed a data set with the run's model into a NumPy archive or a Parquet file.

    If it is interrupted and called again, it resumes after the last complete part. The file is then, byte for byte,
    that of an uninterrupted call.

    Args:
        run: The run.
        data: The data set.
        out: The file, whose name says the format.
        device: The device of the model.
        patches: Whether to write the features of patches instead of those of images.
        on_progress: Called with the number of embedded images.
        batches: The number of batches of `BATCH` images in a part.

    Raises:
        UserError: The backbone has no patches.
        SslregError: The file cannot be written, or images have different numbers of patches.
    """
    require_format(out)
    if batches is None:
        batches = PATCH_BATCHES if patches else BATCHES
    model = run.model().to(device)
    function = require_patches(model.backbone).patches if patches else model.embed
    parts = Parts(out, _identity(run, data, patches, batches))
    done = parts.open()
    size = BATCH * batches
    resumed = min(done * size, len(data.samples))
    on_progress(resumed)
    stream = embed_batches(
        data.samples,
        build_embed_collate(run.spec),
        function,
        device=device,
        batch_size=BATCH,
        workers=run.spec.data.workers,
        start=resumed,
    )
    with blame_components(run.spec):
        for number, part in enumerate(_join_batches(stream, batches), start=done):
            parts.add(number, part)
            on_progress(min((number + 1) * size, len(data.samples)))
    file = _describe_file(parts, data.samples, resumed)
    if out.suffix == ".npz":
        write_npz(out, parts)
    else:
        write_parquet(out, parts, data.samples.classes, run.path.name)
    parts.remove()
    return file


def _identity(run: Run, data: SelectedData, patches: bool, batches: int) -> dict[str, Any]:
    """Return everything that the embeddings depend on, as far as it is known without reading every image."""
    with run.folder.last_checkpoint.open("rb") as file:
        checkpoint = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "checkpoint": checkpoint,
        "spec": hashlib.sha256(run.spec.to_yaml().encode()).hexdigest(),
        "data": {"split": data.split, **data.component},
        "samples": len(data.samples),
        "names": _hash_names(data.samples),
        "batches": [BATCH, batches],
        "patches": patches,
    }


def _hash_names(samples: SampleDataset) -> str:
    digest = hashlib.sha256()
    for index in range(len(samples)):
        digest.update(f"{samples.name(index)}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _join_batches(stream: Iterator[Embeddings], batches: int) -> Iterator[Embeddings]:
    while collected := list(islice(stream, batches)):
        yield concatenate(collected)


def _describe_file(parts: Parts, samples: SampleDataset, resumed: int) -> EmbeddingFile:
    shapes = {shape[1:] for shape, _ in parts.headers(parts.features)}
    if not shapes:
        raise SslregError("the data set has no images to embed", code="no-data")
    if len(shapes) > 1:
        grids = " and ".join(f"{rows}x{columns}" for rows, columns, _ in sorted(shapes))
        raise SslregError(
            f"images have different numbers of patches: {grids}",
            hint="let `embed_view` bring images to one size",
            code="different-grids",
        )
    (shape,) = shapes
    embedded = {int(index) for column in parts.columns("indices") for index in column}
    skipped = [samples.name(index) for index in range(len(samples)) if index not in embedded]
    grid = shape[:2] if len(shape) == 3 else None
    return EmbeddingFile(len(embedded), shape[-1], skipped, resumed, grid)
