"""Which versions made a run: enough to say why another run differs."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sslreg.errors import Diagnostic, UserError
from sslreg.spec import Spec
from sslreg.spec.diff import ABSENT, find_changes
from sslreg.version import __version__


def lock(spec: Spec, facts: dict[str, Any]) -> dict[str, Any]:
    """The content of ``lock.json``: python, torch, sslreg, and every component's distribution, version and target.

    facts: what the run knew when it was assembled; with them its model is built again without its data.
    """
    return _versions(spec) | {"facts": facts}


def require_lock(spec: Spec) -> None:
    """Compare what is installed with the ``lock.json`` beside a spec's file. UserError: it is missing or differs."""
    path = Path(spec.file).with_name("lock.json")
    try:
        locked = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f"there is no lock to hold {spec.file} to: {path}: {error}",
            hint="train the spec.resolved.yaml in a run's folder, which has its lock.json beside it",
            code="no-lock",
        ) from error
    del locked["facts"]
    changes = list(find_changes(locked, _versions(spec)))
    if changes:
        raise UserError(
            *(
                Diagnostic(
                    "lock-differs",
                    f"{change.path}: the lock has {_said(change.before)}, installed is {_said(change.after)}",
                    file=str(path),
                )
                for change in changes
            )
        )


def _said(value: Any) -> str:
    return "nothing" if value is ABSENT else json.dumps(value)


def _versions(spec: Spec) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "torch": version("torch"),
        "sslreg": __version__,
        "components": {
            f"{component.kind}/{component.info.name}": {
                "distribution": component.info.distribution,
                "version": component.info.version,
                "target": component.info.target,
            }
            for component in spec.components()
        },
    }
