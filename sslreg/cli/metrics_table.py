"""Prints the metrics of evaluations next to those of the baselines."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from sslreg.cli.console import stdout
from sslreg.cli.invariance_table import Metrics, profile_tables, split_profiles, summarize_profile
from sslreg.metric_names import drop_intervals, format_metric


def print_metrics(metrics: Metrics) -> None:
    """Print a table of the metrics, and tables and a summary of each invariance profile."""
    plain, profiles = split_profiles(metrics)
    if plain["trained"]:
        stdout.print(_metrics_table(plain))
    for profile in profiles:
        for table in profile_tables(profile):
            stdout.print(table, "")
        for sentence in summarize_profile(profile):
            stdout.print(sentence)


def _metrics_table(metrics: Metrics) -> Table:
    """Return a table with one row for each metric that a baseline has, too."""
    trained = metrics["trained"]
    baselines = {"raw pixels": metrics.get("raw_pixels", {}), "untrained": metrics.get("untrained", {})}
    table = Table("evaluation", *baselines, "trained")
    for name in drop_intervals(trained):
        if any(name in baseline for baseline in baselines.values()):
            cells = [format_metric(baseline, name) for baseline in baselines.values()]
            table.add_row(name, *cells, Text(format_metric(trained, name), "bold"))
    return table
