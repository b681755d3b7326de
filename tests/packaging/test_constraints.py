"""The versions for development satisfy the requirements."""

from __future__ import annotations

import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]

#: Extras that development does not install.
OPTIONAL = {"wandb", "mlflow", "bench"}


def test_every_requirement_is_pinned_to_an_allowed_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [packages for name, packages in project["optional-dependencies"].items() if name not in OPTIONAL]
    lines = (ROOT / "constraints-dev.txt").read_text(encoding="utf-8").lower().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    requirements = map(Requirement, [*project["dependencies"], *chain.from_iterable(extras)])
    wrong = [
        str(requirement)
        for requirement in requirements
        if requirement.name != "sslreg"
        and (requirement.name.lower() not in pinned or pinned[requirement.name.lower()] not in requirement.specifier)
    ]
    assert wrong == [], "run: make constraints"
