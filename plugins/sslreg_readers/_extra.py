"""Libraries that come with an extra."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import sslreg


def require_library(module: str, file: str) -> Any:
    """Import a module that comes with the extra ``formats``.

    Args:
        module: The name of the module.
        file: A description of the files that need it.

    Raises:
        sslreg.UserError: The library is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise sslreg.UserError(
            f"it is {file}, which needs {library}", hint="pip install 'sslreg[formats]'", code="missing-extra"
        ) from error
