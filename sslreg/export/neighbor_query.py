"""The images that a run's features take for the most similar to one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sslreg.assembly import build_embed_collate
from sslreg.contracts import Embeddings, ImageLike
from sslreg.errors import UserError
from sslreg.evaluation import embed
from sslreg.export.data_selection import SPLITS, ChosenData, chosen_data, image_of
from sslreg.runs.run_evaluation import best_device
from sslreg.training import Run


@dataclass(frozen=True)
class Query:
    """An image that is asked about. place: its split and number where it is one of the run's own."""

    image: ImageLike
    name: str
    label: str | None = None
    place: tuple[str, int] | None = None


@dataclass(frozen=True)
class Neighbor:
    """A similar image. index: its number in its data set; label: its class; similarity: the cosine, from -1 to 1."""

    index: int
    name: str
    label: str | None
    similarity: float


def query(run: Run, text: str) -> Query:
    """The image that a text names: a file, or ``test:17``, the image number 17 of a split of the run's data.

    UserError: there is no such file, split or number.
    """
    if Path(text).is_file():
        return Query(Path(text), text)
    place = re.fullmatch(rf"({'|'.join(SPLITS)}):(\d{{1,12}})", text)
    if place is None:
        raise UserError(
            f"there is no image {text!r}", hint="name a file, or an image of the run's data: test:17", code="no-image"
        )
    split, number = place[1], int(place[2])
    samples = chosen_data(run, split).samples
    if number >= len(samples):
        raise UserError(
            f"there is no image {text!r}", hint=f"the images of {split} are 0 to {len(samples) - 1}", code="no-image"
        )
    label = class_name(samples[number].target, samples.classes)
    return Query(image_of(samples, number), samples.name(number), label, (split, number))


def nearest(
    run: Run, asked: Query, data: ChosenData, embeddings: Embeddings, count: int, *, own: bool = True
) -> list[Neighbor]:
    """The `count` images nearest to the one that is asked about, the nearest first; that one itself is none of them.

    data: what `embeddings` are of. own: whether that is the run's own data, so that a place in a split means the same
    image in both. UserError: the embeddings are not of this run's width, or of other images.
    """
    features = run.embed([asked.image])[0]
    if embeddings.features.shape[1] != len(features):
        raise UserError(
            f"these embeddings are of width {embeddings.features.shape[1]}, and the run's are of {len(features)}",
            hint="embed the data with this run",
            code="other-embeddings",
        )
    similarity = _cosine(features, embeddings.features)
    if own and asked.place is not None and asked.place[0] == data.split:
        similarity[embeddings.indices == asked.place[1]] = -torch.inf
    values, rows = similarity.topk(min(count, int(similarity.isfinite().sum())))
    return [_neighbor(embeddings, row, value, data) for row, value in zip(rows.tolist(), values.tolist(), strict=True)]


def embedded(run: Run, data: ChosenData) -> Embeddings:
    """The embeddings of a data set."""
    device = best_device()
    model = run.model().to(device)
    collate, workers = build_embed_collate(run.spec), run.spec.data.workers
    return embed(data.samples, collate, model.embed, device=device, workers=workers)


def class_name(target: int | None, classes: Sequence[str] | None) -> str | None:
    """A class as a person calls it: by its name, or else its number."""
    if target is None:
        return None
    return classes[target] if classes is not None and 0 <= target < len(classes) else str(target)


def _neighbor(embeddings: Embeddings, row: int, similarity: float, data: ChosenData) -> Neighbor:
    index, name = int(embeddings.indices[row]), embeddings.names[row]
    if index >= len(data.samples) or data.samples.name(index) != name:
        raise UserError(
            f"the embeddings are of other images: image {index} of {data.split} is not {name!r}",
            hint="say with --split or --data which images were embedded",
            code="other-embeddings",
        )
    target = None if embeddings.targets is None else int(embeddings.targets[row])
    return Neighbor(index, name, class_name(target, data.samples.classes), similarity)


def _cosine(vector: Tensor, rows: Tensor) -> Tensor:
    return torch.nn.functional.normalize(rows, dim=1) @ torch.nn.functional.normalize(vector, dim=0)
