"""What the names of evaluations' figures say, and how a figure is written; nothing here imports torch.

``X_ci`` is the half-width of the 95 % confidence interval of ``X``. In an invariance profile ``OP_s25`` is how far
``OP``, an augmentation or one of its aspects, moves an embedding at a quarter of its strength, and ``OP_readback`` how
well what it drew can be read back from the embeddings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sslreg.registry import INVARIANCES, installed

INTERVAL = "_ci"
READBACK = "_readback"
_STRENGTH = re.compile(r"_s(\d+)$")


def written(value: float, interval: float | None = None) -> str:
    """``0.964 ± 0.008``; the interval is left out where nobody knows it."""
    return f"{value:.3f}" + ("" if interval is None else f" ± {interval:.3f}")


def counted(number: int, what: str) -> str:
    """``1 image``, ``2,000 images``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def written_of(figures: Mapping[str, Any], name: str) -> str:
    """A figure with its interval; nothing where it is not among them."""
    return written(figures[name], figures.get(f"{name}{INTERVAL}")) if name in figures else ""


def without_intervals(figures: Iterable[str]) -> list[str]:
    """The names that stand for themselves, each once, in order: an interval is shown beside its figure."""
    names = dict.fromkeys(figures)
    return [name for name in names if not (name.endswith(INTERVAL) and name.removesuffix(INTERVAL) in names)]


def without_strengths(figures: Iterable[str]) -> list[str]:
    """The names less those of a figure at a strength, whose mean over the strengths is there as well."""
    names = dict.fromkeys(figures)
    return [name for name in names if strength(name) is None or _STRENGTH.sub("", name) not in names]


def strength(name: str) -> int | None:
    """At which percentage of an augmentation's strength a figure is; None for any other."""
    found = _STRENGTH.search(name)
    return int(found[1]) if found else None


def at_strengths(figures: Mapping[str, float], name: str) -> dict[int, float]:
    """A figure by strength, from the lowest to the highest."""
    found = {strength(other): value for other, value in figures.items() if _STRENGTH.sub("", other) == name != other}
    return {percent: found[percent] for percent in sorted(percent for percent in found if percent is not None)}


def moves(profile: Iterable[str]) -> list[str]:
    """Of an invariance profile's names those of augmentations, their aspects and groups, each with all strengths."""
    return [
        name for name in dict.fromkeys(profile) if not name.endswith((INTERVAL, READBACK)) and strength(name) is None
    ]


def invariances_of(name: str) -> tuple[str, ...]:
    """What an augmentation, one of its aspects (``affine_rotation``) or a group is invariant to; empty if not known."""
    if name in INVARIANCES:
        return (name,)
    owners = [info for info in installed().of_kind("augmentation") if f"{name}_".startswith(f"{info.name}_")]
    return max(owners, key=lambda info: len(info.name)).invariances if owners else ()
