"""Writing of Parquet files (extra: parquet)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from sslreg.atomic_files import atomic_write
from sslreg.contracts import Embeddings
from sslreg.errors import UserError
from sslreg.escaping import escape_text
from sslreg.export.partial_results import Parts


def require_pyarrow() -> None:
    """Raise UserError if pyarrow is not installed."""
    try:
        import_module("pyarrow")
    except ImportError as error:
        raise UserError(
            "a Parquet file needs pyarrow, which is not installed",
            hint="pip install 'sslreg[parquet]', or write a .npz file",
            code="missing-extra",
        ) from error


def write_parquet(path: Path, parts: Parts, classes: list[str] | None, run: str) -> None:
    """Join parts in a table with a row for each image, or for each patch, and a row group for each part.

    Columns:

    * ``embedding``: a list of D float32.
    * ``row``, ``column``: the place of the patch in the grid of its image; only in a table of patches.
    * ``target``: null without a label; a list of class numbers if images have several labels.
    * ``index``, ``name``: the image.
    * ``class``: the target's name, null if the data set names no classes.

    Args:
        path: The file.
        parts: The embeddings.
        classes: The names of the classes, or None.
        run: The name of the run, which is stored in the file's metadata.
    """
    parquet = import_module("pyarrow.parquet")
    (shape, _), *_ = parts.headers(parts.features)
    has_label_sets = parts.have("targets") and any(len(labels) == 2 for labels, _ in parts.headers("targets"))
    schema = _build_schema(shape, run, has_label_sets)
    repeated = ["name", "class"] if len(shape) == 4 else ["class"]
    with (
        atomic_write(path) as draft,
        parquet.ParquetWriter(draft, schema, compression="zstd", use_dictionary=repeated) as writer,
    ):
        for part in parts:
            table = _build_table(part, classes, schema)
            writer.write_table(table, row_group_size=max(1, len(table)))


def _build_schema(shape: tuple[int, ...], run: str, has_label_sets: bool) -> Any:
    """Return the schema for features (N, D), or (N, rows, columns, D) of patches."""
    arrow = import_module("pyarrow")
    target, name = arrow.int64(), arrow.string()
    if has_label_sets:
        target, name = arrow.list_(target), arrow.list_(name)
    place = [arrow.field(name, arrow.int32(), nullable=False) for name in ("row", "column") if len(shape) == 4]
    return arrow.schema(
        [
            arrow.field("embedding", arrow.list_(arrow.float32(), shape[-1]), nullable=False),
            *place,
            arrow.field("target", target),
            arrow.field("index", arrow.int64(), nullable=False),
            arrow.field("name", arrow.string(), nullable=False),
            arrow.field("class", name),
        ],
        metadata={"sslreg.run": run},
    )


def _build_table(part: Embeddings, classes: list[str] | None, schema: Any) -> Any:
    arrow = import_module("pyarrow")
    targets = [_class_numbers(part.target(row)) for row in range(len(part))]
    columns = [
        arrow.array(targets, schema.field("target").type),
        arrow.array(part.indices.numpy()),
        arrow.array([escape_text(name) for name in part.names], arrow.string()),
        arrow.array([_class_name(target, classes) for target in targets], schema.field("class").type),
    ]
    if part.features.ndim == 4:
        image, row, column = np.indices(part.features.shape[:3], np.int32).reshape(3, -1)
        columns = [arrow.array(row), arrow.array(column), *(labels.take(arrow.array(image)) for labels in columns)]
    vectors = arrow.FixedSizeListArray.from_arrays(part.features.numpy().reshape(-1), part.features.shape[-1])
    return arrow.Table.from_arrays([vectors, *columns], schema=schema)


def _class_numbers(target: int | Tensor | None) -> int | list[int] | None:
    """Return a class number, or the class numbers of several labels."""
    return target.nonzero()[:, 0].tolist() if isinstance(target, Tensor) else target


def _class_name(target: int | list[int] | None, classes: list[str] | None) -> Any:
    """Return the name of a class, or a list for several; None for those without a name."""
    if isinstance(target, list):
        return [_class_name(number, classes) for number in target]
    if target is None or classes is None or not 0 <= target < len(classes):
        return None
    return classes[target]
