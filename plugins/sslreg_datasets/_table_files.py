"""The columns of tables in files: CSV, JSON lines and Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslreg_datasets.image_folder import format_path


@dataclass(frozen=True)
class Columns:
    """Some columns of a table.

    Attributes:
        cells: The cells of each column by its name; None for an empty one.
        numbers: The number of each row, for messages: its line in a text file, else its number from 1.
        unit: What `numbers` count: ``line`` or ``row``.
    """

    cells: dict[str, list[Any]]
    numbers: list[int]
    unit: str


def read_columns(file: Path, names: Sequence[str], *, delimiter: str | None = None, encoding: str = "utf-8") -> Columns:
    """Return columns of a table; the extension of the file tells its format.

    Args:
        file: The file.
        names: The names of the columns.
        delimiter: What separates the cells of a CSV file; by default a tab in a .tsv file and a comma in others.
        encoding: The encoding of a text file.

    Raises:
        ValueError: The file is missing, has another format, cannot be read or has no rows, or a column is missing.
    """
    extension = file.suffix.lower()
    if extension not in _FORMATS:
        raise ValueError(f"the table '{file}' should end in {', '.join(_FORMATS)}")
    if not file.is_file():
        raise ValueError(f"there is no table {format_path(file)}")
    try:
        columns = _FORMATS[extension](file, names, delimiter or ("\t" if extension == ".tsv" else ","), encoding)
    except OSError as error:
        raise ValueError(f"the table '{file}' cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"the table '{file}' is not {encoding}: the byte {error.object[error.start]:#04x} cannot be decoded; set "
            "encoding to that of the program that wrote it, such as latin-1 or cp1252"
        ) from error
    except LookupError as error:
        raise ValueError(f"{error}; encodings are named like utf-8, latin-1 or cp1252") from error
    if not columns.numbers:
        raise ValueError(f"the table '{file}' has no rows")
    return columns


def _require_columns(file: Path, names: Sequence[str], existing: Sequence[str]) -> None:
    missing = [name for name in dict.fromkeys(names) if name not in existing]
    if missing:
        raise ValueError(
            f"the table '{file}' has no column {' and no column '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, existing))}"
        )


def _read_csv(file: Path, names: Sequence[str], delimiter: str, encoding: str) -> Columns:
    # Spreadsheets begin a UTF-8 file with a byte order mark.
    with file.open(encoding="utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding, newline="") as lines:
        try:
            return _read_rows(file, names, csv.reader(lines, delimiter=delimiter, strict=True))
        except (csv.Error, TypeError) as error:
            raise ValueError(f"the table '{file}' cannot be read: {error}") from error


def _read_rows(file: Path, names: Sequence[str], reader: Any) -> Columns:
    header: list[str] = next(reader, [])
    if repeated := next((name for name in header if header.count(name) > 1), None):
        raise ValueError(f"the table '{file}' has two columns {repeated!r}")
    try:
        _require_columns(file, names, header)
    except ValueError as error:
        if len(header) == 1 and (other := next((mark for mark in ";\t,|" if mark in header[0]), None)):
            raise ValueError(f"{error}; if {other!r} separates its cells, set delimiter: {other!r}") from error
        raise
    positions = {name: header.index(name) for name in names}
    columns = Columns({name: [] for name in positions}, [], "line")
    for row in reader:
        if not row:  # a blank line
            continue
        if len(row) != len(header):
            raise ValueError(
                f"the table '{file}', line {reader.line_num}, has {len(row)} cells, and the header has {len(header)}"
            )
        columns.numbers.append(reader.line_num)
        for name, position in positions.items():
            columns.cells[name].append(row[position] or None)
    return columns


def _read_json_lines(file: Path, names: Sequence[str], delimiter: str, encoding: str) -> Columns:
    records = list(_parse_lines(file, encoding))
    if records:
        _require_columns(file, names, list(dict.fromkeys(key for _, record in records for key in record)))
    cells = {name: [record.get(name) for _, record in records] for name in names}
    return Columns(cells, [number for number, _ in records], "line")


def _parse_lines(file: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    with file.open(encoding=encoding) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"the table '{file}', line {number}, is not JSON: {error}") from error
            if not isinstance(record, dict):
                raise ValueError(f"the table '{file}', line {number}, is not a JSON object")
            yield number, record


def _read_parquet(file: Path, names: Sequence[str], delimiter: str, encoding: str) -> Columns:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise ValueError(
            "pyarrow, which reads Parquet, is not installed; it comes with: pip install 'sslreg[parquet]'"
        ) from error
    try:
        _require_columns(file, names, parquet.read_schema(file).names)
        table = parquet.read_table(file, columns=list(dict.fromkeys(names)))
        cells: dict[str, list[Any]] = table.to_pydict()
    except ArrowException as error:
        raise ValueError(f"the table '{file}' cannot be read: {error}") from error
    return Columns(cells, list(range(1, table.num_rows + 1)), "row")


#: The reading functions by the extensions of files.
_FORMATS: dict[str, Callable[[Path, Sequence[str], str, str], Columns]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".parquet": _read_parquet,
}
