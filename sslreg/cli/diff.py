"""The command ``sslreg diff``."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sslreg.cli.console import print_json, stdout
from sslreg.cli.options import Json

#: The key of a run's lock, with the versions of its components, among the compared values.
_LOCK = "lock"


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A spec, or the folder of a run.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Another spec or run.")],
    json: Json = False,
) -> None:
    """Show the values in which two specs or runs differ.

    For two runs, the versions of their components are compared, too.
    """
    from sslreg.spec.diff import ABSENT, find_changes

    first, second = _load_values(before), _load_values(after)
    if _LOCK not in first or _LOCK not in second:
        first.pop(_LOCK, None)
        second.pop(_LOCK, None)
    changes = list(find_changes(first, second))
    if json:
        sides = ("before", "after")
        print_json(
            {
                "differences": [
                    {"path": change.path}
                    | {side: getattr(change, side) for side in sides if getattr(change, side) is not ABSENT}
                    for change in changes
                ]
            }
        )
        return
    if not changes:
        stdout.print("no difference")
        return
    table = Table("value", before, after)
    for change in changes:
        values = (change.before, change.after)
        table.add_row(change.path, *("" if value is ABSENT else _format(value) for value in values))
    stdout.print(table)


def _load_values(name: str) -> dict[str, Any]:
    """Return the values of a spec, or of a run's spec and lock."""
    from sslreg.spec import load_spec

    if not Path(name).is_dir():
        return load_spec(name).to_dict()
    from sslreg.runs import load_run

    run = load_run(name)
    return run.spec.to_dict() | {_LOCK: {key: value for key, value in run.lock.items() if key != "facts"}}


def _format(value: Any) -> str:
    return value if isinstance(value, str) else json_module.dumps(value)
