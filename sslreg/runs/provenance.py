"""The versions that made a run, which show why another run differs."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sslreg.contracts import LoadedWeights
from sslreg.errors import Diagnostic, UserError
from sslreg.registry import ComponentInfo, installed
from sslreg.runs.folder import RunFolder
from sslreg.spec import ComponentSpec, Spec
from sslreg.spec.diff import ABSENT, find_changes
from sslreg.version import __version__


def build_lock(
    spec: Spec, facts: dict[str, Any], data: Mapping[str, Any], weights: Mapping[str, LoadedWeights]
) -> dict[str, Any]:
    """Return the content of ``lock.json``: versions of python, torch, sslreg, each component and each installed reader.

    Args:
        spec: The spec.
        facts: The facts that the run learned when it was assembled. Its model can be built from them without its data.
        data: The samples of each data set.
        weights: The weights from which backbones start, by the paths of the backbones in the spec.
    """
    reports = {path: report.as_json() for path, report in weights.items()}
    return read_versions(spec) | {"facts": facts, "data": data, "weights": reports}


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
    del locked["facts"], locked["data"], locked["weights"]
    changes = list(find_changes(locked, read_versions(spec)))
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


def read_versions(spec: Spec) -> dict[str, Any]:
    """Return the versions of python, torch, sslreg, each component and each installed reader."""
    return {
        "python": platform.python_version(),
        "torch": version("torch"),
        "sslreg": __version__,
        "components": {
            f"{component.kind}/{component.info.name}": _describe(component.info) for component in spec.components()
        },
        "readers": {f"{info.distribution}:{info.name}": _describe(info) for info in installed().of_kind("reader")},
    }


def _describe(info: ComponentInfo) -> dict[str, str]:
    return {"distribution": info.distribution, "version": info.version, "target": info.target}


def lock_readers(spec: Spec, folder: RunFolder) -> Spec:
    """Return a run's spec with the readers that were installed when the run started, after those that it names.

    A reader that was installed later is then used only for images that no other reader matches. Without a readable
    lock the spec is unchanged; readers that are no longer installed are left out.
    """
    try:
        names = set(json.loads(folder.lock.read_text(encoding="utf-8"))["readers"])
    except (OSError, ValueError, KeyError):
        return spec
    named = {component.info for component in spec.data.readers}
    locked = [
        ComponentSpec("reader", f"{info.distribution}:{info.name}", info, path=("data", "readers"))
        for info in installed().of_kind("reader")
        if f"{info.distribution}:{info.name}" in names and info not in named
    ]
    return replace(spec, data=replace(spec.data, readers=(*spec.data.readers, *locked)))
