"""Embeddings of a whole data set in one file, made part by part: memory holds one, and a cut costs one at most."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from sslreg.assembly import SampleDataset, build_embed_collate
from sslreg.contracts import Embeddings
from sslreg.errors import SslregError, UserError
from sslreg.evaluation import concatenate, embed_batches
from sslreg.export.data_selection import SelectedData
from sslreg.export.npz_writer import write_npz
from sslreg.export.parquet_writer import require_pyarrow, write_parquet
from sslreg.export.partial_results import Parts
from sslreg.training import Run

log = logging.getLogger(__name__)

#: Images that go through the backbone at once.
BATCH = 256

#: Batches in a part. Parts end where batches do, so an image has the same neighbors in its batch, and with them the
#: same rounding, in whichever go it is embedded.
BATCHES = 16


@dataclass(frozen=True)
class Written:
    """What an embedding file holds.

    rows, width: its shape; skipped: the names of images that could not be read, which the spec's ``data.on_error``
    passes over; resumed: how many images an earlier go had done.
    """

    rows: int
    width: int
    skipped: list[str]
    resumed: int


def require_format(out: Path) -> None:
    """UserError: the file's name ends in neither .npz nor .parquet, its folder is missing, or pyarrow is."""
    if out.suffix not in (".npz", ".parquet"):
        raise UserError(f"--out {out}: the file's name has to end in .npz or .parquet", code="bad-argument")
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
    on_progress: Callable[[int], None] = lambda done: None,
    batches: int = BATCHES,
) -> Written:
    """Embed a data set with the run's model into `out`, a NumPy archive or a Parquet file by its name.

    Cut off and called again, it goes on after the last whole part; the file is then, byte for byte, that of an
    undisturbed go. on_progress: told how many images are done. batches: of `BATCH` images in a part.
    """
    require_format(out)
    model = run.model().to(device)
    parts = Parts(out, _identity(run, data, batches))
    done = parts.open()
    size = BATCH * batches
    resumed = min(done * size, len(data.samples))
    on_progress(resumed)
    stream = embed_batches(
        data.samples,
        build_embed_collate(run.spec),
        model.embed,
        device=device,
        batch_size=BATCH,
        workers=run.spec.data.workers,
        start=resumed,
    )
    for number, part in enumerate(_parts(stream, batches), start=done):
        parts.add(number, part)
        on_progress(min((number + 1) * size, len(data.samples)))
    written = _written(parts, data.samples, resumed)
    if out.suffix == ".npz":
        write_npz(out, parts)
    else:
        write_parquet(out, parts, data.samples.classes, run.path.name)
    parts.remove()
    return written


def _identity(run: Run, data: SelectedData, batches: int) -> dict[str, Any]:
    """Everything that the embeddings depend on, as far as it can be told without reading every image."""
    with run.folder.last_checkpoint.open("rb") as file:
        checkpoint = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "checkpoint": checkpoint,
        "spec": hashlib.sha256(run.spec.to_yaml().encode()).hexdigest(),
        "data": {"split": data.split, **data.component},
        "samples": len(data.samples),
        "names": _names(data.samples),
        "batches": [BATCH, batches],
    }


def _names(samples: SampleDataset) -> str:
    digest = hashlib.sha256()
    for index in range(len(samples)):
        digest.update(f"{samples.name(index)}\0".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _parts(stream: Iterator[Embeddings], batches: int) -> Iterator[Embeddings]:
    while collected := list(islice(stream, batches)):
        yield concatenate(collected)


def _written(parts: Parts, samples: SampleDataset, resumed: int) -> Written:
    shapes = [column.shape for column in parts.columns("embeddings")]
    if not shapes:
        raise SslregError("the data set has no images to embed", code="no-data")
    here = {int(index) for column in parts.columns("indices") for index in column}
    skipped = [samples.name(index) for index in range(len(samples)) if index not in here]
    return Written(len(here), shapes[0][1], skipped, resumed)
