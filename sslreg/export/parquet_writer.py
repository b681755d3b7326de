"""Writing of Parquet files (extra: parquet)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

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
    """Join parts in a table with a row for each image and a row group for each part.

    Columns: ``embedding``, a list of D float32; ``target``, null without a label; ``index``; ``name``; and ``class``,
    the target's name, null if the data set names no classes.

    Args:
        path: The file.
        parts: The embeddings.
        classes: The names of the classes, or None.
        run: The name of the run, which is stored in the file's metadata.
    """
    parquet = import_module("pyarrow.parquet")
    width = next(iter(parts)).features.shape[1]
    schema = _build_schema(width, run)
    with (
        atomic_write(path) as draft,
        parquet.ParquetWriter(draft, schema, compression="zstd", use_dictionary=["class"]) as writer,
    ):
        for part in parts:
            writer.write_table(_build_table(part, classes, schema))


def _build_schema(width: int, run: str) -> Any:
    arrow = import_module("pyarrow")
    return arrow.schema(
        [
            arrow.field("embedding", arrow.list_(arrow.float32(), width), nullable=False),
            arrow.field("target", arrow.int64()),
            arrow.field("index", arrow.int64(), nullable=False),
            arrow.field("name", arrow.string(), nullable=False),
            arrow.field("class", arrow.string()),
        ],
        metadata={"sslreg.run": run},
    )


def _build_table(part: Embeddings, classes: list[str] | None, schema: Any) -> Any:
    arrow = import_module("pyarrow")
    targets = [None] * len(part) if part.targets is None else part.targets.tolist()
    columns = [
        arrow.FixedSizeListArray.from_arrays(part.features.numpy().reshape(-1), part.features.shape[1]),
        arrow.array(targets, arrow.int64()),
        arrow.array(part.indices.numpy()),
        arrow.array([escape_text(name) for name in part.names], arrow.string()),
        arrow.array([_class_name(target, classes) for target in targets], arrow.string()),
    ]
    return arrow.Table.from_arrays(columns, schema=schema)


def _class_name(target: int | None, classes: list[str] | None) -> str | None:
    if target is None or classes is None or not 0 <= target < len(classes):
        return None
    return classes[target]
