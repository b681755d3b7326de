"""The file ``best.yaml``: the spec that a study found, with a comment on each changed value."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sslreg
from sslreg_tune.parameters import Operation, Values
from sslreg_tune.search_space import SearchSpace, format_value
from sslreg_tune.spec_values import ABSENT

#: A path in a spec: keys and indices.
KeyPath = tuple[str | int, ...]

#: Comments by the path of the value that they are above.
Comments = Mapping[KeyPath, Sequence[str]]

#: The largest width of a mapping that is written on one line.
_WIDTH = 110


def write_best_spec(
    path: Path,
    source: str,
    overrides: Sequence[str],
    space: SearchSpace,
    values: Values,
    *,
    heading: Sequence[str] = (),
    effects: Mapping[str, str] | None = None,
) -> sslreg.Spec:
    """Write the spec with the values of a trial, and return it.

    The file extends the starting spec and contains the changed values alone, each below a comment with what it was
    before, and with its effect if known. If it cannot extend the starting spec, because keys were removed, it is a
    complete copy.

    Args:
        path: The file to write.
        source: The file or the name of the starting spec.
        overrides: The arguments of ``--set`` with which it was loaded.
        space: The search space.
        values: The values of the trial.
        heading: The lines of the comment at the top: the study, its trials, the figure, and its change.
        effects: The effects of parameters as short texts by name, such as ``+.06 ± .02``.
    """
    start = sslreg.load_spec(source, overrides)
    best = sslreg.load_spec(source, [*overrides, *space.overrides(values)]).to_dict()
    # A spec that changes another one is not expected to reach the same figures.
    best.pop("expect", None)
    best["name"] = f"{start.name}-best"
    base = sslreg.load_spec(source).to_dict()
    comments = {place: ["set by --set"] for place in _list_leaves(_find_changes(base, start.to_dict()))}
    comments |= _list_comments(space, values, effects or {})
    comments["name",] = ["so that its runs are not taken for those of the starting spec"]
    extension = {"extends": _find_base(source, path.parent), "version": best["version"], "name": best["name"]}
    _write(path, heading, extension | _find_changes(base, best), comments)
    if sslreg.load_spec(path).to_dict() != best:
        reason = f"This is a complete copy of {source}: `extends` cannot remove the keys that it lacks."
        _write(path, [*heading, reason], best, comments)
    return sslreg.load_spec(path)


def describe_search(study: str, trials: int, figure: str, start: float | None, best: float) -> list[str]:
    """Return the heading of a spec that a study found.

    Args:
        study: The name or the folder of the study.
        trials: The number of trials.
        figure: The figure that judged them.
        start: The figure of the starting spec, if it was among the trials.
        best: The figure of the best trial.
    """
    change = f"{best:.4g}" if start is None else f"{start:.4g} -> {best:.4g}"
    return [
        f"Found by sslreg tune in {trials} trials of the study {study}.",
        f"{figure} on the data that judged the trials: {change}.",
    ]


def _find_base(source: str, folder: Path) -> str:
    """Return the starting spec as `extends` names it from a folder."""
    file = Path(source).expanduser()
    if not file.is_file():
        return source
    try:
        return Path(os.path.relpath(file.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return str(file.resolve())


def _find_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a mapping that differ, as an extending spec writes them."""
    changes: dict[str, Any] = {}
    for key, value in after.items():
        old = before.get(key)
        if key in before and type(old) is type(value) and old == value:
            continue
        is_nested = isinstance(old, Mapping) and isinstance(value, Mapping) and old.get("use") == value.get("use")
        changes[key] = _find_changes(old, value) if is_nested and old is not None else value
    return changes


def _list_comments(space: SearchSpace, values: Values, effects: Mapping[str, str]) -> dict[KeyPath, list[str]]:
    """Return comments on the values that a search has changed."""
    comments: dict[KeyPath, list[str]] = {}
    for path, name, text in (*_describe_values(space, values), *_describe_views(space, values)):
        effect = f"; effect {effects[name]}" if name in effects else ""
        comments.setdefault(path, []).append(text + effect)
    return comments


def _describe_values(space: SearchSpace, values: Values) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield the place, the parameter and the comment of each changed value outside of the views."""
    for parameter in space.parameters:
        before = space.written.get(parameter.name)
        if not isinstance(parameter, Operation) and before != values[parameter.name]:
            path = tuple(int(key) if key.isdecimal() else key for key in parameter.name.split("."))
            yield path, parameter.name, _format_before(before)


def _format_before(value: Any) -> str:
    return "before: none" if value is None or value is ABSENT else f"before: {_format_flow([value])[1:-1]}"


def _describe_views(space: SearchSpace, values: Values) -> Iterator[tuple[KeyPath, str, str]]:
    """Yield the place, the parameter and the comment of each changed operation."""
    if space.views is None:
        return
    for number, view in enumerate(space.views.build_views(values)):
        before = [written.entry for written in space.views.views[number].entries]
        changed = [entry for entry in view["augment"] if entry not in before]
        removed = [entry["use"] for entry in before if entry not in view["augment"]]
        for operation in space.views.operations:
            if values[operation.name] == operation.starts:
                continue
            use = space.views.names_in_spec[operation.name]
            if entry := next((entry for entry in changed if entry["use"] == use), None):
                yield ("views", number, "augment", view["augment"].index(entry)), *_describe_change(operation, values)
            elif use in removed:
                yield ("views", number, "augment"), *_describe_change(operation, values)


def _describe_change(operation: Operation, values: Values) -> tuple[str, str]:
    level, before = ("off" if one == "off" else "on" for one in (values[operation.name], operation.starts))
    if values[operation.name] == "scaled":
        level = f"strength {format_value(values[operation.strength], '.2f')}"
    return operation.name, f"{operation.name}: {level}, before: {before}"


def _list_leaves(changes: Mapping[str, Any], path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the paths of the values in mappings, and of components as a whole."""
    for key, value in changes.items():
        if isinstance(value, Mapping) and "use" not in value:
            yield from _list_leaves(value, (*path, key))
        else:
            yield (*path, key)


def _write(path: Path, heading: Sequence[str], data: Mapping[str, Any], comments: Comments) -> None:
    lines = [*(f"# {line}" for line in heading), *_format_mapping(data, (), comments)]
    with sslreg.atomic_write(path) as draft:
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _format_mapping(data: Mapping[str, Any], path: KeyPath, comments: Comments) -> Iterator[str]:
    """Yield the lines of a mapping in block style."""
    for key, value in data.items():
        place = (*path, key)
        yield from (f"# {comment}" for comment in comments.get(place, ()))
        line = _format_flow({key: value})[1:-1]
        if _fits_line(value, line, place, comments):
            yield line
            continue
        yield f"{_format_flow([key])[1:-1]}:"
        yield from (f"  {line}" for line in _format_block(value, place, comments))


def _format_block(value: Any, path: KeyPath, comments: Comments) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _format_mapping(value, path, comments)
        return
    for number, item in enumerate(value):
        place = (*path, number)
        yield from (f"# {comment}" for comment in comments.get(place, ()))
        line = _format_flow([item])[1:-1]
        if _fits_line(item, line, place, comments):
            yield f"- {line}"
            continue
        lines = list(_format_block(item, place, comments))
        first = next(number for number, line in enumerate(lines) if not line.startswith("#"))
        yield from lines[:first]
        yield f"- {lines[first]}"
        yield from (f"  {line}" for line in lines[first + 1 :])


def _fits_line(value: Any, line: str, path: KeyPath, comments: Comments) -> bool:
    """Return whether a value is written on one line: scalars, lists of scalars, and short components."""
    if isinstance(value, Mapping):
        has_comments = any(place[: len(path)] == path and place != path for place in comments)
        return not value or (len(line) <= _WIDTH and not has_comments and "use" in value)
    return not isinstance(value, list) or not any(isinstance(item, Mapping) for item in value)


def _format_flow(value: Any) -> str:
    return sslreg.dump_yaml(value, flow=True).strip()
