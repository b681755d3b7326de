"""The `sslreg` command. What is heavy is imported inside the commands, so that help and completion are quick."""

from sslreg.cli.app import main

__all__ = ["main"]
