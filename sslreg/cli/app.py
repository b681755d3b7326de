"""The root of the `sslreg` command: its options, its subcommands, and how errors end it."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, Any

import typer

from sslreg.cli import (
    check,
    diff,
    embed,
    evaluate,
    explain,
    export,
    neighbors,
    plugins,
    preview,
    report,
    runs,
    schema,
    specs,
    train,
)
from sslreg.cli.console import print_error, stderr, stdout
from sslreg.cli.interruption import CommandSignals, CommandStopped
from sslreg.cli.plugin_commands import CommandGroup
from sslreg.errors import SslregError, out_of_memory_error
from sslreg.terminal import safe_output
from sslreg.version import __version__

#: The base class of errors in arguments. It is click's or that of a copy within typer.
CLICK_EXCEPTION: Any = typer.BadParameter.mro()[2]

app = typer.Typer(
    name="sslreg",
    cls=CommandGroup,
    help="Self-supervised learning on images, from plugins and a YAML spec.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train.train)
app.command("check")(check.check)
app.command("explain")(explain.explain)
app.command("preview")(preview.preview)
app.command("evaluate")(evaluate.evaluate)
app.command("report")(report.report)
app.command("embed")(embed.embed)
app.command("export")(export.export)
app.command("neighbors")(neighbors.neighbors)
app.command("diff")(diff.diff)
app.command("schema")(schema.schema)
app.add_typer(runs.app)
app.add_typer(plugins.app)
app.add_typer(specs.app)


def _print_version(requested: bool) -> None:
    if requested:
        stdout.print(f"sslreg {__version__}")
        raise typer.Exit


def _disable_plugins(requested: bool) -> None:
    if requested:
        # The processes of a distributed run inherit the environment.
        os.environ["SSLREG_PLUGINS"] = ""


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    no_plugins: Annotated[
        bool,
        typer.Option(
            "--no-plugins",
            callback=_disable_plugins,
            is_eager=True,
            help="Import no plugins, not even the default ones.",
        ),
    ] = False,
) -> None: ...


def main() -> None:
    """Run the command. A `SslregError` is printed without a traceback and sets the exit status."""
    with CommandSignals() as signals, safe_output() as output:
        try:
            with signals.interruptible():
                status = app(standalone_mode=False)
                sys.stdout.flush()
        except CommandStopped as stopped:
            output.discard()  # its reader may be what does not answer
            stderr.print(str(stopped))
            status = stopped.exit_status
        except SslregError as error:
            print_error(error)
            status = error.exit_status
        except MemoryError as error:
            print_error(out_of_memory_error(error))
            status = 1
        except CLICK_EXCEPTION as error:
            _print_usage_error(error)
            status = error.exit_code
        except typer.Abort:
            stderr.print("aborted")
            status = 1
        except BrokenPipeError:
            status = 1
    sys.exit(status if isinstance(status, int) else 0)


def _print_usage_error(error: Any) -> None:
    """Print how a command is used and what is wrong with its arguments."""
    text = io.StringIO()
    error.show(file=text)
    stderr.print(text.getvalue().rstrip())
