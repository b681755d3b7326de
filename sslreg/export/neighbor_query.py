"""The images that are most similar to one image, by a run's features."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sslreg.contracts import Embeddings, ImageLike
from sslreg.errors import UserError
from sslreg.evaluation.nearest_neighbors import nearest_neighbors
from sslreg.export.data_selection import SPLITS, SelectedData, read_image, select_data
from sslreg.runs import Run


@dataclass(frozen=True)
class Query:
    """The image whose neighbors are wanted.

    Attributes:
        image: The image.
        name: Its name.
        label: The name of its class, if it has one.
        place: Its split and its index if it is one of the run's own images.
    """

    image: ImageLike
    name: str
    label: str | None = None
    place: tuple[str, int] | None = None


@dataclass(frozen=True)
class Neighbor:
    """A similar image.

    Attributes:
        index: Its index in its data set.
        name: Its name.
        label: The name of its class, if it has one.
        similarity: The cosine similarity, from -1 to 1.
    """

    index: int
    name: str
    label: str | None
    similarity: float


def parse_query(run: Run, text: str) -> Query:
    """Return the image that a text names: a file, or by ``test:17`` image 17 of a split of the run's data.

    Raises:
        UserError: There is no such file, split or index.
    """
    if Path(text).is_file():
        return Query(Path(text), text)
    place = re.fullmatch(rf"({'|'.join(SPLITS)}):(\d{{1,12}})", text)
    if place is None:
        raise UserError(
            f"there is no image {text!r}", hint="name a file, or an image of the run's data: test:17", code="no-image"
        )
    split, index = place[1], int(place[2])
    samples = select_data(run, split).samples
    if index >= len(samples):
        raise UserError(
            f"there is no image {text!r}", hint=f"the images of {split} are 0 to {len(samples) - 1}", code="no-image"
        )
    label = samples.class_name(samples[index].target)
    return Query(read_image(samples, index), samples.name(index), label, (split, index))


def find_neighbors(
    run: Run, query: Query, data: SelectedData, embeddings: Embeddings, count: int, *, own: bool = True
) -> list[Neighbor]:
    """Find up to `count` images that are nearest to the query, the nearest first; the query itself is not among them.

    Args:
        run: The run whose features are compared.
        query: The image whose neighbors are wanted.
        data: The images among which neighbors are searched.
        embeddings: Their embeddings by this run.
        count: The number of neighbors.
        own: Whether `data` is the run's own data, so that a place in a split means the same image in both.

    Raises:
        UserError: The embeddings have another width than the run's, or belong to other images.
    """
    features = run.embed([query.image])
    require_width(embeddings, features.shape[1])
    itself = find_query(query, data, embeddings, own=own)
    k = min(count, len(embeddings) - (itself is not None))
    similarities, rows = nearest_neighbors(features, embeddings.features, k, exclude=itself)
    return [
        describe_neighbor(embeddings, row, similarity, data)
        for row, similarity in zip(rows[0].tolist(), similarities[0].tolist(), strict=True)
    ]


def require_width(embeddings: Embeddings, width: int) -> None:
    """Raise UserError if embeddings have another width than a run's."""
    if embeddings.features.shape[-1] != width:
        raise UserError(
            f"these embeddings are of width {embeddings.features.shape[-1]}, and the run's are of {width}",
            hint="embed the data with this run",
            code="other-embeddings",
        )


def find_query(query: Query, data: SelectedData, embeddings: Embeddings, *, own: bool) -> Tensor | None:
    """Return the row (1,) of the query among embeddings of `data`; None if it has none. See `find_neighbors`."""
    itself = _find_itself(query, data, embeddings) if own else None
    return _find_file(query, data, embeddings) if itself is None else itself


def _find_itself(query: Query, data: SelectedData, embeddings: Embeddings) -> Tensor | None:
    """Return the row (1,) of the query among the embeddings; None if it has none."""
    if query.place is None or query.place[0] != data.split:
        return None
    rows = (embeddings.indices == query.place[1]).nonzero()[:, 0]
    return rows if len(rows) else None


def _find_file(query: Query, data: SelectedData, embeddings: Embeddings) -> Tensor | None:
    """Return the row (1,) of the embedded image whose file is the query; None if there is none."""
    if not isinstance(query.image, str | Path):
        return None
    file = Path(query.image)
    for row, name in enumerate(embeddings.names):
        index = int(embeddings.indices[row])
        if Path(name).name != file.name or index >= len(data.samples):
            continue
        image = data.samples[index].image
        if isinstance(image, str | Path) and Path(image).exists() and file.samefile(image):
            return torch.tensor([row])
    return None


def describe_neighbor(embeddings: Embeddings, row: int, similarity: float, data: SelectedData) -> Neighbor:
    """Return the neighbor in a row of embeddings of `data`.

    Raises:
        UserError: The embeddings belong to other images.
    """
    index, name = int(embeddings.indices[row]), embeddings.names[row]
    if index >= len(data.samples) or data.samples.name(index) != name:
        raise UserError(
            f"the embeddings are of other images: image {index} of {data.split} is not {name!r}",
            hint="name the embedded images with --split or --data",
            code="other-embeddings",
        )
    return Neighbor(index, name, data.samples.class_name(embeddings.target(row)), similarity)
