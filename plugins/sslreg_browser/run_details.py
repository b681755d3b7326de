"""The page of one run, or of several runs side by side: its content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sslreg
from sslreg_browser.live_region import RegionContent
from sslreg_browser.run_feed import RunFeed
from sslreg_browser.run_notes import collect_notes, read_skipped

#: The largest number of runs that are shown side by side: each needs a color.
MAX_RUNS = 6


class RunDetails:
    """The content of the page of some runs, which is built again only after one of them changed.

    Args:
        feed: The runs.
        paths: The folders of the runs.
    """

    def __init__(self, feed: RunFeed, paths: Sequence[Path]) -> None:
        self.feed = feed
        self.paths = paths
        self._versions: list[int] | None = None
        self._content = RegionContent({}, [])

    def read(self) -> RegionContent:
        """Return the sections of the page, and a chart for each metric.

        Raises:
            UserError: One of the runs no longer exists.
        """
        versions = self.feed.find_versions(self.paths)
        if versions != self._versions:
            self._content = _build_content(self.feed, self.feed.read_results(self.paths))
            self._versions = versions
        return self._content


def _build_content(feed: RunFeed, runs: list[sslreg.RunResults]) -> RegionContent:
    charts = sslreg.curve_charts(runs)
    names = [feed.name(run.record.path) for run in runs]
    parts: dict[str, Any] = {
        "state": tuple(
            (run.number, run.label, run.record.state, _describe_progress(feed, run), tuple(collect_notes(run)))
            for run in runs
        ),
        "summary": sslreg.summary_table(runs),
        "evaluation": (sslreg.evaluation_table(runs), sslreg.comparison_table(runs), sslreg.label_curves(runs)),
        "invariance": sslreg.profile_results(runs),
        "no-curves": charts.reason if isinstance(charts, sslreg.Unavailable) else "",
        "skipped": tuple((run.label, skipped) for run in runs if (skipped := read_skipped(run.record))),
        "differences": sslreg.differences_table(runs),
        "specs": tuple((run.label, sslreg.dump_yaml(run.record.spec)) for run in runs if run.record.spec),
        "versions": sslreg.versions_table(runs),
        "links": tuple(
            (feed.numbers.number(run.record.path), name, feed.find_study_page(run.record.path) is not None)
            for run, name in zip(runs, names, strict=True)
        ),
    }
    figures = {} if isinstance(charts, sslreg.Unavailable) else {f"curve-{chart.title}": chart for chart in charts}
    return RegionContent(parts | figures, list(figures))


def _describe_progress(feed: RunFeed, run: sslreg.RunResults) -> str:
    return feed.describe_progress(run.record) if run.record.state == "running" else ""
