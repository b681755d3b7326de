"""Paths, names and IDs of a run's logs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, cast

import sslreg

Make = TypeVar("Make", bound=Callable[..., Any])


def log_folder(run_folder: str) -> Path:
    """Return the folder for logs in a run's folder, without creating it."""
    return Path(run_folder) / "logs"


def run_title(run_folder: str) -> str:
    """Return the name under which a service lists a run: ``NAME/TIMESTAMP``, like its folder."""
    return "/".join(Path(run_folder).absolute().parts[-2:])


def needs_package(package: str) -> Callable[[Make], Make]:
    """Return a decorator of a logger's constructor that raises a ValueError if a package is not installed.

    The constructor gets a method ``validate``, with which ``sslreg check`` finds that out.
    """

    def validate(**params: object) -> None:
        if find_spec(package) is None:
            raise ValueError(f"{package} is not installed; install it with: pip install 'sslreg[{package}]'")

    def decorate(make: Make) -> Make:
        @wraps(make)
        def checked(*args: Any, **keywords: Any) -> Any:
            validate()
            return make(*args, **keywords)

        checked.validate = validate  # type: ignore[attr-defined]
        return cast(Make, checked)

    return decorate


class RunIDFile:
    """A file in the run's folder that stores the ID which a service gave the run."""

    def __init__(self, run_folder: str, service: str) -> None:
        self.path = log_folder(run_folder) / f"{service}.id"

    def read(self) -> str | None:
        return self.path.read_text(encoding="utf-8") if self.path.exists() else None

    def write(self, run_id: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with sslreg.atomic_write(self.path) as draft:
            draft.write_text(run_id, encoding="utf-8")
