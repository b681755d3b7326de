"""The results of a study as text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

import sslreg
from sslreg_tune.effects import Effect
from sslreg_tune.final import FinalComparison
from sslreg_tune.number_format import format_change, format_level
from sslreg_tune.results import Combination, Results

#: What replaces characters that the encoding of a terminal lacks.
_ASCII = str.maketrans({"±": "+-", "−": "-", "→": "->", "…": "...", "×": "x", "²": "2", "³": "3"})

#: The titles of the columns of effects.
_COLUMNS = ("", "effect", "", "importance")

#: The invariances by which a profile is summarized.
_INVARIANCES = ("shape", "texture", "color")


def format_results(results: Results, width: int, encoding: str = "utf-8") -> Iterator[str]:
    """Yield the lines of the results: the sentence, trials, effects or combinations, profiles.

    Names and numbers are never cut: a row that is wider than the terminal continues on the next line.

    Args:
        results: The results.
        width: The width of the terminal in characters.
        encoding: The encoding of the terminal.
    """
    for line in map(sslreg.escape_text, _format_lines(results, width)):
        try:
            line.encode(encoding)
        except UnicodeEncodeError:
            yield line.translate(_ASCII)
        else:
            yield line


def format_counts(results: Results) -> str:
    """Return the number of trials by state: ``40 trials: 25 finished, 15 pruned``."""
    count = sum(results.counts.values())
    states = ", ".join(f"{number} {state}" for state, number in results.counts.items())
    return f"{count} trial{'' if count == 1 else 's'}{': ' * bool(states)}{states}"


def describe_intervals(results: Results) -> str:
    """Return how the effects and their verdicts are meant."""
    which = " (lowest is best)" if results.lowest else ""
    return (
        f"Effects on {results.figure}{which}: the best trial, or one near it, with the operation and without; those "
        "'on average' are over all trials. ± is half of a 95 % interval; unclear means that it includes zero."
    )


def find_common_reason(effects: Sequence[Effect]) -> str | None:
    """Return the reason why no effect can be estimated; None if one can, or if reasons differ."""
    reasons = {effect.missing for effect in effects}
    return reasons.pop() if len(reasons) == 1 else None


def _format_lines(results: Results, width: int) -> Iterator[str]:
    yield from _wrap(results.sentence, width)
    for note in results.notes:
        yield from _wrap(note, width)
    yield format_counts(results)
    if results.combinations:
        yield ""
        yield from _format_table([("", results.figure, "seeds"), *map(_combination_row, results.combinations)], width)
    if results.effects:
        yield ""
        if (reason := find_common_reason(results.effects)) is not None:
            yield from _wrap(f"Effects are not known: {reason}.", width)
        else:
            yield from _format_effects(results.effects, width)
            yield from _wrap(describe_intervals(results), width)
    if results.final is not None and results.final.profiles:
        yield ""
        yield from _format_table(_profile_rows(results.final), width)
        yield from _wrap("Invariance: 0 if features ignore it, 1 if it moves them as far as another image.", width)


def _combination_row(combination: Combination) -> tuple[str, ...]:
    figure = combination.figure
    level = "" if figure is None else format_level(figure.value, figure.half)
    return combination.change, level, str(len(combination.seeds))


def _format_effects(effects: Sequence[Effect], width: int) -> Iterator[str]:
    """Yield the rows of effects with a line before each group. Columns are aligned over all groups."""
    rows: list[tuple[str, ...]] = [_COLUMNS]
    titles: dict[int, str] = {}
    for group, own in groupby(effects, key=lambda effect: effect.group):
        titles[len(rows)] = group
        rows += [_effect_row(effect) for effect in own]
    for number, lines in enumerate(_layout(rows, width)):
        if number in titles:
            yield titles[number]
        yield from lines
        if number and (note := effects[number - 1].note):
            yield from _wrap(f"    {note}", width)


def _effect_row(effect: Effect) -> tuple[str, ...]:
    name = effect.name if effect.change == "off → on" else f"{effect.name} ({effect.change})"
    if effect.estimate is None:
        return f"  {name}", "–", "", ""
    change = format_change(effect.estimate.value, effect.estimate.half)
    return f"  {name}", change, effect.verdict or "", f"{effect.importance or 0:.0%}"


def _profile_rows(final: FinalComparison) -> Iterator[tuple[str, ...]]:
    yield "invariance", "start", "winner"
    start, best = final.profiles["start"], final.profiles["best"]
    for name in _INVARIANCES:
        if name in start and name in best:
            yield name, *(format_level(each[name], each.get(f"{name}_ci")) for each in (start, best))


def _format_table(rows: Sequence[tuple[str, ...]] | Iterator[tuple[str, ...]], width: int) -> Iterator[str]:
    for lines in _layout(list(rows), width):
        yield from lines


def _layout(rows: Sequence[tuple[str, ...]], width: int) -> Iterator[list[str]]:
    """Yield the lines of each row, whose columns are aligned.

    If a row is too wide, its name has a separate line, and the other columns follow below.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rest = sum(widths[1:]) + 2 * (len(widths) - 1)
    fitting = [len(row[0]) for row in rows if len(row[0]) + rest <= width]
    first = max(fitting, default=4)
    for name, *cells in rows:
        aligned = "".join(f"  {cell:<{own}}" for cell, own in zip(cells, widths[1:], strict=True))
        if len(name) > first:
            yield [*_wrap(name, width), f"{'':<{first}}{aligned}".rstrip()]
        else:
            yield [f"{name:<{first}}{aligned}".rstrip()]


def _wrap(text: str, width: int) -> list[str]:
    """Return the lines of a text, all with its indent. A word that is longer than a line is kept whole."""
    indent = text[: len(text) - len(text.lstrip())]
    return textwrap.wrap(
        text.strip(),
        width - len(indent),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
