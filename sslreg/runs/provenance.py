"""The versions that made a run, which show why another run differs."""

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


def build_lock(spec: Spec, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the content of ``lock.json``: versions of python, torch, sslreg, and each component's distribution.

    Args:
        spec: The spec.
        facts: The facts that the run learned when it was assembled. Its model can be built from them without its data.
    """
    return _read_versions(spec) | {"facts": facts}


def require_lock(spec: Spec) -> None:
    """Compare the installed versions with the ``lock.json`` next to a spec's file.

    Raises:
        UserError: The lock is missing, or a version differs.
    """
    path = Path(spec.file).with_name("lock.json")
    try:
        locked = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"there is no lock to compare with {spec.file}: {path}: {error}",
            hint="train the spec.resolved.yaml in a run's folder, next to its lock.json",
            code="no-lock",
        ) from error
    del locked["facts"]
    changes = list(find_changes(locked, _read_versions(spec)))
    if changes:
        raise UserError(
            *(
                Diagnostic(
                    "lock-differs",
                    f"{change.path}: the lock has {_format_version(change.before)}, installed is "
                    f"{_format_version(change.after)}",
                    file=str(path),
                )
                for change in changes
            )
        )


def _format_version(value: Any) -> str:
    return "nothing" if value is ABSENT else json.dumps(value)


def _read_versions(spec: Spec) -> dict[str, Any]:
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
