"""sslreg tune"""

from __future__ import annotations

import importlib.util
import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import sslreg

if TYPE_CHECKING:
    from rich.console import Console

    from sslreg_tune.results import Results
    from sslreg_tune.search_config import SearchConfig
    from sslreg_tune.study import Study
    from sslreg_tune.trial_record import TrialRecord

#: The number of trials of a search without a budget.
DEFAULT_TRIALS = 30


def tune(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A YAML spec, or the name of a shipped one.")],
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="FIGURE",
            help="What judges trials: a metric such as few_shot_5; without labels rank, loss, alignment, uniformity.",
        ),
    ],
    over: Annotated[
        list[str] | None,
        typer.Option("--over", metavar="PATH=VALUES", help="Search a value: 0.05..1:log, or 16,32. May be repeated."),
    ] = None,
    views: Annotated[
        bool, typer.Option("--views", help="Search the operations of the views: on or off, and how strong.")
    ] = False,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Stop after this many trials; 30 without another limit.")
    ] = None,
    hours: Annotated[float | None, typer.Option("--hours", min=0.0, help="Stop after this many hours.")] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Stop after this many epochs of all trials together.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the starting spec."),
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="Train every combination instead of searching.")] = False,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            min=1,
            help="Seeds of each combination of a grid, or of the spec alone; of the final comparison of a search (3).",
        ),
    ] = None,
    lowest: Annotated[bool, typer.Option("--lowest", help="The lowest figure is best, not the highest.")] = False,
    validation: Annotated[
        float, typer.Option("--validation", metavar="SHARE", help="The share of the reference set that judges trials.")
    ] = 0.3,
    prune: Annotated[
        bool, typer.Option("--prune/--no-prune", help="End trials early that do not look promising.")
    ] = True,
    parallel: Annotated[int, typer.Option("--parallel", min=1, help="Trials that are trained at the same time.")] = 1,
    storage: Annotated[
        str | None,
        typer.Option("--storage", metavar="URL", help="The database of the trials: sqlite:///… or postgresql://…"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="STUDY", help="The study's folder; default studies/NAME.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Choose invariances and other values of a spec by measuring.

    Trains variants of the spec, and shows how much each operation of the views and each value helps or harms. The same
    command continues a study that was interrupted. For example: sslreg tune mine.yaml --by few_shot_5 --views
    """
    _require_optuna()
    from rich.console import Console

    from sslreg_tune.budget import Budget
    from sslreg_tune.study import Study

    console = Console(stderr=True)
    if not 0 < validation < 1:
        raise sslreg.UserError(f"--validation {validation:g} is not a share between 0 and 1", code="bad-argument")
    config = _configure(spec, by, over or (), views, overrides or (), grid, seeds, lowest, validation, prune, console)
    is_search = config.trials is None
    if not is_search and any(limit is not None for limit in (trials, hours, epochs)):
        raise sslreg.UserError(
            "--trials, --hours and --epochs limit a search; a grid and seeds are trained completely",
            code="bad-argument",
        )
    if is_search and trials is hours is epochs is None:
        trials = DEFAULT_TRIALS
    budget = Budget(trials, hours, epochs)
    study = Study(out or Path("studies") / config.spec.name, config, storage=storage, budget=budget)
    _print_plan(study, console)
    try:
        with sslreg.requeue_on_timeout(can_find_run=True):
            has_ended = study.run(budget, parallel=parallel, console=console)
            if has_ended and is_search and (best := study.best()) is not None:
                with study.claim_comparison() as is_claimed:
                    if is_claimed:
                        _compare(study, best, seeds, console)
                has_ended = is_claimed
    except sslreg.SslregError:
        _write(study)
        raise
    results = _write(study)
    if as_json:
        typer.echo(json.dumps(results.to_dict(), indent=2))
        return
    _print_results(results)
    if not has_ended:
        typer.echo("other processes still train trials; the last one to finish makes the final comparison")
    _print_next_steps(study, results)


def _require_optuna() -> None:
    if importlib.util.find_spec("optuna") is None:
        raise sslreg.UserError(
            "sslreg tune needs Optuna, which is not installed",
            hint="install it: pip install 'sslreg[tune]'",
            code="missing-package",
        )


def _configure(
    spec: str,
    by: str,
    over: Sequence[str],
    views: bool,
    overrides: Sequence[str],
    grid: bool,
    seeds: int | None,
    lowest: bool,
    validation: float,
    prune: bool,
    console: Console,
) -> SearchConfig:
    """Return what a study searches, after everything has been checked."""
    from rich.markup import escape

    from sslreg_tune.figure import describe_limits, require_comparable, resolve_figure
    from sslreg_tune.search_config import SearchConfig
    from sslreg_tune.search_space import SearchSpace, build_search_space

    start = sslreg.load_spec(spec, overrides)
    has_space = bool(over) or views
    if not has_space and (grid or seeds is None):
        raise sslreg.UserError(
            "there is nothing to search",
            hint="add --views or --over PATH=VALUES; --seeds 5 alone trains the spec with several seeds",
            code="bad-argument",
        )
    space = build_search_space(start, over, views, overrides) if has_space else SearchSpace((), {})
    # Several seeds of one spec choose nothing, so they may use the test set.
    share = validation if has_space and start.data.validation is None else None
    judged = [*overrides, *([] if share is None else [f"data.validation={share}"])]
    planned = None
    if grid or not has_space:
        combinations = space.grid() if grid else [space.starting or {}]
        # With more seeds, a repeated command continues at the end of the list.
        planned = tuple((values, start.seed + number) for number in range(seeds or 1) for values in combinations)
    figure = resolve_figure(spec, by, judged, lowest=lowest, console=console)
    paths = [one.partition("=")[0].strip() for one in over]
    require_comparable(figure, paths)
    for warning in describe_limits(figure, paths, views=views):
        console.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False)
    return SearchConfig(spec, tuple(overrides), figure, space, start.seed, share, prune, planned)


def _print_plan(study: Study, console: Console) -> None:
    config = study.config
    if config.trials is not None:
        what = f"{len(config.trials)} runs"
    else:
        count = len(config.space.parameters)
        what = f"a search of {count} parameter{'s' * (count != 1)}"
    held_out = "" if config.validation is None else f", judged on {config.validation:.0%} of the reference set"
    console.print(f"{study.folder}: {what} by {config.figure.title}{held_out}", style="dim", highlight=False)


def _compare(study: Study, best: TrialRecord, seeds: int | None, console: Console) -> None:
    """Train the winner and the starting spec with fresh seeds."""
    from rich.console import Console

    from sslreg_tune.final import SEEDS, is_start, train_finalists

    if is_start(study.config, best):
        return
    count = seeds or SEEDS
    console.print(
        f"training the winner, trial {best.number}, and the starting spec with {count} fresh seeds", style="dim"
    )
    # Without a terminal, the progress of each run is many lines.
    progress = console if console.is_terminal else Console(quiet=True)
    train_finalists(study.folder, study.config, best, seeds=count, console=progress)


def _write(study: Study) -> Results:
    """Write what is known of a study into its folder."""
    from sslreg_tune.best_spec import describe_search, write_best_spec
    from sslreg_tune.page import write_page
    from sslreg_tune.pictures import save_pictures
    from sslreg_tune.results import collect_results, write_results

    config = study.config
    results = collect_results(study.folder, config, study.records())
    write_results(study.folder, results)
    if results.best is not None and results.best_values is not None and results.best.figure is not None:
        heading = describe_search(
            study.folder.name, len(results.trials), results.figure, results.start, results.best.figure
        )
        write_best_spec(
            study.folder / "best.yaml",
            config.source,
            config.overrides,
            config.space,
            dict(results.best_values),
            heading=heading,
            effects=results.effect_texts,
        )
    save_pictures(study.folder, results)
    write_page(study.folder, results)
    return results


def _print_results(results: Results) -> None:
    from sslreg_tune.tables import format_results

    width = shutil.get_terminal_size().columns
    typer.echo("")
    for line in format_results(results, width, sys.stdout.encoding or "utf-8"):
        typer.echo(sslreg.escape_text(line))


def _print_next_steps(study: Study, results: Results) -> None:
    folder, start = shlex.quote(str(study.folder)), shlex.quote(study.config.source)
    typer.echo(f"\neverything is in {study.folder}\n\nnext:")
    typer.echo(f"  open {folder}/report.html in a browser")
    if results.best is not None and not results.is_start_best:
        typer.echo(f"  sslreg diff {start} {folder}/best.yaml")
        typer.echo(f"  sslreg train {folder}/best.yaml")
    typer.echo(f"  sslreg runs list {folder}/trials --sort {results.figure}")
