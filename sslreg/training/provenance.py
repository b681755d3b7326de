"""Which versions made a run: enough to say why another run differs."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

import sslreg
from sslreg.spec import Spec


def lock(spec: Spec, facts: dict[str, Any]) -> dict[str, Any]:
    """The content of ``lock.json``: python, torch, sslreg, and every component's distribution, version and target.

    facts: what the run knew when it was assembled; with them its model is built again without its data.
    """
    return {
        "python": platform.python_version(),
        "torch": version("torch"),
        "sslreg": sslreg.__version__,
        "components": {
            f"{component.kind}/{component.info.name}": {
                "distribution": component.info.distribution,
                "version": component.info.version,
                "target": component.info.target,
            }
            for component in spec.components()
        },
        "facts": facts,
    }
