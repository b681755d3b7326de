"""sslreg diff"""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sslreg.cli.console import print_json, stdout
from sslreg.cli.options import Json

#: Where the versions of a run's components are, among the values that are compared.
_LOCK = "lock"


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="A spec, or the folder of a run.")],
    after: Annotated[str, typer.Argument(metavar="B", help="Another.")],
    json: Json = False,
) -> None:
    """Show what differs between two specs or runs, as values.

    Of two runs, the versions of what took part are compared too.
    """
    from sslreg.spec.diff import ABSENT, find_changes

    first, second = _content(before), _content(after)
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
    table = Table("what", before, after)
    for change in changes:
        table.add_row(change.path, *("" if v is ABSENT else _text(v) for v in (change.before, change.after)))
    stdout.print(table)


def _content(name: str) -> dict[str, Any]:
    """A spec's resolved content; a run's has what its lock says beside it."""
    from sslreg.spec import load_spec

    if not Path(name).is_dir():
        return load_spec(name).to_dict()
    from sslreg.training import load_run

    run = load_run(name)
    return run.spec.to_dict() | {_LOCK: {key: value for key, value in run.lock.items() if key != "facts"}}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_module.dumps(value)
