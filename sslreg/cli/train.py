"""sslreg train"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sslreg.cli.console import print_diagnostics, stderr, stdout
from sslreg.cli.metrics_table import print_metrics
from sslreg.cli.options import Overrides
from sslreg.cli.requeue import is_restart, requeue_on_timeout
from sslreg.cli.timing_table import describe_conclusions
from sslreg.errors import SslregError, UserError
from sslreg.metric_names import format_count, format_expected, format_guard
from sslreg.registry import installed

if TYPE_CHECKING:
    from sslreg.runs import Run


def train(
    spec: Annotated[
        str | None, typer.Argument(metavar="SPEC", help="A YAML spec, or the name of a shipped one.")
    ] = None,
    overrides: Overrides = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The run's folder; default runs/NAME/TIMESTAMP.")
    ] = None,
    locked: Annotated[
        bool, typer.Option("--locked", help="Refuse versions other than those in the lock.json next to the spec.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="RUN", help="Resume a run from its last checkpoint.")
    ] = None,
    auto_resume: Annotated[
        bool, typer.Option("--auto-resume", help="Resume the run in --out if there is one, or else start it.")
    ] = False,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Try everything with a few steps and images, and keep nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: print JSON.")] = False,
) -> None:
    """Train what a spec describes, or resume a run."""
    if (spec is None) == (resume is None):
        raise UserError("name either a SPEC to train or a run to --resume", code="bad-argument")
    if as_json and not dry:
        raise UserError("--json is for --dry-run; a run writes timing.json", code="bad-argument")
    if resume is not None:
        if out is not None or locked or dry or auto_resume:
            raise UserError(
                "--out, --locked, --dry-run and --auto-resume are for a new run, not for --resume", code="bad-argument"
            )
        from sslreg.training.resume import resume as resume_training

        with requeue_on_timeout(can_find_run=True):
            _print_result(resume_training(resume, overrides or (), console=stderr))
        return
    if auto_resume and out is None:
        raise UserError("--auto-resume needs the folder of the run: name it with --out", code="bad-argument")
    from sslreg.spec import load_spec

    assert spec is not None

    loaded = load_spec(spec, overrides or ())
    from sslreg.training.distributed.ranks import is_main_process

    if is_main_process():
        print_diagnostics(loaded.warnings, loaded.sources, stderr)
    if locked:
        from sslreg.runs.provenance import require_lock

        require_lock(loaded)

    if dry:
        if out is not None:
            raise UserError("--dry-run keeps nothing, so it takes no --out", code="bad-argument")
        from sslreg.cli.dry_run import print_dry_run

        print_dry_run(loaded, as_json)
        return

    with requeue_on_timeout(can_find_run=out is not None):
        if out is not None and (auto_resume or is_restart()):
            from sslreg.training.resume import train_or_resume

            _print_result(train_or_resume(loaded, out, console=stderr))
        else:
            from sslreg.training.loop import train as run_training

            _print_result(run_training(loaded, out, console=stderr))


def _print_result(run: Run) -> None:
    """Print the figures, the folder and the next steps; of several processes one prints.

    The run is finished, so that output that cannot be written does not change the exit status.
    """
    from sslreg.training.distributed.ranks import is_main_process

    if not is_main_process():
        return
    try:
        _print_summary(run)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - nothing may; rich exits after a broken pipe
        reason = f": {error}" if isinstance(error, SslregError) else ""
        stderr.print(f"{run.path} is finished, but its results cannot be printed{reason}", style="yellow")


def _print_summary(run: Run) -> None:
    from sslreg.runs.run_hooks import collect_summary_lines

    summary = run.summary
    if summary["baseline"]:
        print_metrics({"trained": summary["final"], **summary["baseline"]})
    lines = [*format_expected(run.spec.expect, summary["final"]), *format_guard(summary.get("guard"))]
    for line in [*lines, *collect_summary_lines(run)]:
        stdout.print(line)
    stdout.print(
        f"trained {format_count(summary['epochs'], 'epoch')}, {format_count(summary['steps'], 'step')} at "
        f"{summary['images_per_second']:,.0f} images/s",
    )
    if run.timing is not None:
        for line in describe_conclusions(run.timing, most=2):
            stdout.print(line)
    stdout.print(f"everything is in {run.path}\n\nnext:")
    for command in list_next_steps(run):
        stdout.print(f"  {command}")


def list_next_steps(run: Run) -> list[str]:
    """Return shell commands that continue with a run, as they can be pasted into the shell that started it."""
    folder, program = shlex.quote(str(run.path)), Path(sys.argv[0])
    on_path = program.name != "sslreg" or shutil.which("sslreg") is not None
    command = "sslreg" if on_path else shlex.quote(str(program))
    python = "python" if on_path else shlex.quote(str(program.with_name("python")))
    has_test = run.spec.data.find("test") is not None
    split = "" if has_test else " --split train"
    code = f"import sslreg; print(sslreg.load_run({json.dumps(str(run.path))}).backbone())"
    profile = any(info.name == "invariance" for info in installed().of_kind("evaluator"))
    return [
        f"{command} report {folder}",
        f"{command} neighbors {folder} {'test' if has_test else 'train'}:0{split}",
        *([f"{command} evaluate {folder} invariance"] if has_test and profile else []),
        f"{command} embed {folder} --out embeddings.npz{split}",
        f"{python} -c {shlex.quote(code)}",
    ]
