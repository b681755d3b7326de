"""The `sslreg` command. Commands import heavy modules only when they run, so that help and completion are fast."""

from sslreg.cli.app import main

__all__ = ["main"]
