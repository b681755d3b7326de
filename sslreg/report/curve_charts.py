"""Charts of the metrics that runs recorded while they trained."""

from __future__ import annotations

from collections.abc import Sequence

from sslreg.metric_names import INTERVAL
from sslreg.report.charts import Chart, build_chart
from sslreg.report.reported_runs import RunResults
from sslreg.report.unavailable import Unavailable


def curve_charts(runs: Sequence[RunResults]) -> list[Chart] | Unavailable:
    """Build a chart of each metric that was measured more than once. The tables show the others."""
    names = dict.fromkeys(
        name for run in runs for name, curve in run.curves.items() if len(curve) > 1 and not name.endswith(INTERVAL)
    )
    if not names:
        return Unavailable("metrics.csv holds no metric that was measured more than once")
    options = ("lr", "weight_decay")
    first = [name for name in ("loss", *options) if name in names]
    return [
        build_chart(
            name,
            {(run.label, f"run-{run.number}"): run.curves[name] for run in runs if name in run.curves},
            "step",
            low=0.0 if name in options else None,
        )
        for name in (*first, *(name for name in names if name not in first))
    ]
