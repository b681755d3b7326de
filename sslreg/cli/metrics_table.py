"""Prints the metrics of evaluations next to those of the baselines."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rich.table import Column, Table
from rich.text import Text

from sslreg.cli.console import stdout
from sslreg.cli.invariance_table import Metrics, profile_tables, split_profiles, summarize_profile
from sslreg.metric_names import drop_intervals, format_metric, order_subjects, title_subject
from sslreg.runs.comparison import compare_subjects, describe_label_savings


def print_metrics(metrics: Metrics, unavailable: Mapping[str, str] | None = None) -> None:
    """Print a table of the metrics, which differences are distinguishable, and each invariance profile.

    Args:
        metrics: the metrics by subject.
        unavailable: by subject, why metrics of it are missing.
    """
    plain, profiles = split_profiles(metrics)
    if plain["trained"]:
        stdout.print(_metrics_table(plain, unavailable or {}))
    sentences = [comparison.sentence for comparison in compare_subjects(plain)]
    for sentence in (*sentences, *describe_label_savings(plain)):
        stdout.print(sentence, markup=False, highlight=False)
    for subject, reason in (unavailable or {}).items():
        stdout.print(f"unavailable for {title_subject(subject)}: {reason}", markup=False)
    for profile in profiles:
        for table in profile_tables(profile):
            stdout.print(table, "")
        for sentence in summarize_profile(profile):
            stdout.print(sentence)


def _metrics_table(metrics: Metrics, unavailable: Collection[str]) -> Table:
    """Return a table with one row for each metric that a baseline has, too."""
    trained = metrics["trained"]
    baselines = {subject: metrics[subject] for subject in order_subjects(metrics) if subject != "trained"}
    table = Table(Column("evaluation", no_wrap=True), *(title_subject(subject) for subject in baselines), "trained")
    if len(baselines) > 2:  # without a frame, the starting weights fit into 80 columns, too
        table.box, table.padding = None, (0, 2, 0, 0)
    for name in drop_intervals(trained):
        if any(name in baseline for baseline in baselines.values()):
            cells = [
                format_metric(baseline, name) or ("unavailable" if subject in unavailable else "–")
                for subject, baseline in baselines.items()
            ]
            table.add_row(name, *cells, Text(format_metric(trained, name), "bold"))
    return table
