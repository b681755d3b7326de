"""Invariance profiles as a person reads them: by what they are invariant to, each figure with its course."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table

from sslreg.cli.console import metrics_table, stdout
from sslreg.metric_names import (
    INTERVAL,
    READBACK,
    distance_names,
    format_metric,
    invariances_of,
    parse_strength,
    values_by_strength,
)
from sslreg.registry import INVARIANCES

#: Figures by subject: ``trained``, ``untrained``, ``raw_pixels``.
Figures = Mapping[str, Mapping[str, float]]

_COLUMNS = {"trained": "trained", "untrained": "untrained", "raw_pixels": "raw pixels"}
_LEVELS = "▁▂▃▄▅▆▇█"


def print_metrics(figures: Figures) -> None:
    """Show evaluations: a table of plain figures, and each invariance profile with what it says."""
    plain, profiles = split_profiles(figures)
    if plain["trained"]:
        stdout.print(metrics_table(plain["trained"], plain))
    for profile in profiles:
        for table in profile_tables(profile):
            stdout.print(table, "")
        for verdict in verdicts(profile):
            stdout.print(verdict, highlight=False)


def split_profiles(figures: Figures) -> tuple[Figures, list[Figures]]:
    """The figures that no profile has, and the profiles.

    An evaluator that gives a figure for a group of augmentations (``NAME_color``) and figures at strengths
    (``NAME_OP_s25``) measured a profile. Its figures come without its name.
    """
    names = figures["trained"]
    starts = {name.removesuffix(group) for name in names for group in INVARIANCES if name.endswith(f"_{group}")}
    starts = {start for start in starts if any(parse_strength(name) is not None for name in _of(start, names))}
    plain = {
        subject: {name: value for name, value in own.items() if not name.startswith(tuple(starts))}
        for subject, own in figures.items()
    }
    return plain, [{subject: _of(start, own) for subject, own in figures.items()} for start in sorted(starts)]


def _of(start: str, figures: Mapping[str, float]) -> dict[str, float]:
    return {name.removeprefix(start): value for name, value in figures.items() if name.startswith(start)}


def profile_tables(profile: Figures) -> Iterator[Table]:
    """A table for each group, its mean first, and one of what can be read back."""
    for group in INVARIANCES:
        if group in profile["trained"]:
            operations = _operations(profile, group)
            rows = {f"all of {group}": group, **{_label(name, operations): name for name in operations}}
            yield _table(f"{group}: 0 is blind to it, 1 as far as another image", profile, rows)
    readable = {name: f"{name}{READBACK}" for name in _operations(profile) if f"{name}{READBACK}" in profile["trained"]}
    if readable:
        yield _table("read back from the features by a linear map: R², 1 is all of it", profile, readable)


def verdicts(profile: Figures) -> Iterator[str]:
    """What training did to each group, in a sentence."""
    for group in INVARIANCES:
        change = _change(profile, group)
        if change is None:
            continue
        operations = _operations(profile, group)
        whole = {name for name in operations if not any(_aspect(other, name) for other in operations)}
        alike = [name for name in whole if change and _change(profile, name) == change]
        alike.sort(key=lambda name: abs(profile["trained"][name] - profile["untrained"][name]), reverse=True)
        effect = f"training made the features {change} it" if change else "training changed nothing that can be told"
        most = ", ".join(f"{name} {_from_to(profile, name)}" for name in alike[:3])
        yield f"{group}: {effect} {_from_to(profile, group)}" + (f"; most of all {most}" if most else "")


def _operations(profile: Figures, group: str | None = None) -> list[str]:
    """The augmentations and their aspects (of a group), an augmentation before its aspects."""
    operations = sorted(name for name in distance_names(profile["trained"]) if name not in INVARIANCES)
    return [name for name in operations if group is None or group in invariances_of(name)]


def _aspect(name: str, of: str) -> str | None:
    """What a figure is of, as an aspect of an augmentation: rotation, where affine_rotation is one of affine."""
    return name.removeprefix(f"{of}_") if name.startswith(f"{of}_") else None


def _label(name: str, operations: Sequence[str]) -> str:
    """How a table calls an operation: an aspect stands indented below its augmentation."""
    return next((f"  {aspect}" for other in operations if (aspect := _aspect(name, other))), name)


def _table(title: str, profile: Figures, rows: Mapping[str, str]) -> Table:
    """rows: figures by the label that they have."""
    # Without a frame it fits into 80 columns.
    table = Table("", *_COLUMNS.values(), title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for label, name in rows.items():
        cells = [f"{format_metric(own, name)} {_course(name, own)}" for own in map(profile.__getitem__, _COLUMNS)]
        table.add_row(label, *cells, style="bold" if name in INVARIANCES else None)
    return table


def _course(name: str, figures: Mapping[str, float]) -> str:
    """A block for each strength, the highest for 1 and beyond."""
    shares = (min(max(value, 0.0), 1.0) for value in values_by_strength(figures, name).values())
    return "".join(_LEVELS[round(share * (len(_LEVELS) - 1))] for share in shares)


def _change(profile: Figures, name: str) -> str | None:
    """What the trained features do, where the intervals do not overlap; "" where they do, None without figures."""
    if name not in profile["trained"] or name not in profile["untrained"]:
        return None
    after, before = (profile[subject][name] for subject in ("trained", "untrained"))
    margin = sum(profile[subject].get(f"{name}{INTERVAL}", 0.0) for subject in ("trained", "untrained"))
    if abs(after - before) <= margin:
        return ""
    return "overlook" if after < before else "notice"


def _from_to(profile: Figures, name: str) -> str:
    return f"({profile['untrained'][name]:.2f} → {profile['trained'][name]:.2f})"
