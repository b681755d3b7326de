"""The table of runs: its query, and its content."""

from __future__ import annotations

from dataclasses import dataclass

import sslreg
from sslreg_browser.live_region import RegionContent
from sslreg_browser.run_feed import RunFeed

#: The number of the latest runs whose paths are offered as completions.
_COMPLETED = 20


@dataclass(frozen=True)
class RunQuery:
    """Which runs are listed, and how: the options of ``sslreg runs list``.

    Attributes:
        where: Conditions ``PATH=VALUE`` that all of them meet.
        sort: The path of the value by which they are sorted; empty for the oldest first.
        columns: The paths of the values that are shown; empty for the default ones.
        group: Whether runs that differ in nothing but their seeds have one row.
    """

    where: tuple[str, ...] = ()
    sort: str = ""
    columns: tuple[str, ...] = ()
    group: bool = False


@dataclass(frozen=True)
class ListRow:
    """A row of the table.

    Attributes:
        numbers: The numbers of its runs.
        name: The name of the first run.
        others: The number of its other runs.
        state: The state of the run, or the number of runs of a group.
        progress: How far a run is that trains.
        problem: The files of the run that are missing or damaged.
        cells: The titles and texts of the other columns.
    """

    numbers: tuple[int, ...]
    name: str
    others: int
    state: str
    progress: str
    problem: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Study:
    """A study of `sslreg tune`.

    Attributes:
        name: Its path from the root.
        number: The number of one of its runs.
    """

    name: str
    number: int


class RunList:
    """The content of the table, which is built again only after a run changed.

    Args:
        feed: The runs.
        query: Which of them are listed, and how.
    """

    def __init__(self, feed: RunFeed, query: RunQuery) -> None:
        self.feed = feed
        self.query = query
        self._version: int | None = None
        self._content = RegionContent({}, [])

    def read(self) -> RegionContent:
        """Return the content of the table: its ``head``, ``count``, ``studies``, ``error`` and rows."""
        version = self.feed.refresh()
        records = self.feed.list_records()
        if version != self._version:
            self._content = _build_content(self.feed, records, self.query)
            self._version = version
        # The page of a study is written after its last run.
        studies = {"studies": tuple(_find_studies(self.feed, records))}
        return RegionContent({**self._content.parts, **studies}, self._content.items)


def _build_content(feed: RunFeed, records: list[sslreg.RunRecord], query: RunQuery) -> RegionContent:
    """Build the table. A query that no run can answer, which may change, has an error instead of rows."""
    selected, error = records, None
    try:
        for condition in query.where:
            selected = sslreg.filter_runs(selected, condition)
        listing = sslreg.list_runs(selected, query.sort or None, query.columns, query.group)
    except sslreg.UserError as mistake:
        first = mistake.diagnostics[0]
        error = (first.message, first.hint)
        listing = sslreg.list_runs([])
    rows = {f"run-{row.numbers[0]}": row for row in _build_rows(feed, listing)}
    running = sum(record.state == "running" for record in records)
    parts = {
        "error": error,
        "count": (len(listing.runs), len(records), running),
        "head": tuple(zip(listing.titles, listing.columns, strict=True)),
    }
    return RegionContent(parts | rows, list(rows))


def _build_rows(feed: RunFeed, listing: sslreg.RunListing) -> list[ListRow]:
    rows = []
    for row in listing.rows():
        first = row.runs[0]
        is_group = listing.groups is not None
        is_running = first.state == "running" and not is_group
        rows.append(
            ListRow(
                tuple(feed.numbers.number(run.path) for run in row.runs),
                feed.name(first.path),
                len(row.runs) - 1,
                row.format_count() if is_group else first.state,
                feed.describe_progress(first) if is_running else "",
                first.problem or "",
                tuple(zip(listing.titles, row.cells, strict=True)),
            )
        )
    return rows


def _find_studies(feed: RunFeed, records: list[sslreg.RunRecord]) -> list[Study]:
    """Return the studies whose page exists. Trials are in the folder ``trials`` of their study."""
    folders = {run.path.parent.parent: run.path for run in records if run.path.parent.name == "trials"}
    pages = ((folder, run) for folder, run in folders.items() if feed.find_study_page(run) is not None)
    return [Study(feed.name(folder), feed.numbers.number(run)) for folder, run in pages]


def list_paths(feed: RunFeed) -> list[str]:
    """Return the paths of values in the latest runs, for completion."""
    return list(dict.fromkeys(path for record in feed.list_records()[-_COMPLETED:] for path in record.paths()))
