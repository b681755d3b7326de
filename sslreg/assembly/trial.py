"""Tries everything that a spec describes, as far as that needs no data, no download and little memory."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeVar

import torch

from sslreg.assembly.baselines import try_baselines
from sslreg.assembly.builder import Builder
from sslreg.assembly.devices import Devices, host_memory, resolve_devices
from sslreg.assembly.evaluators import (
    NamedEvaluator,
    build_evaluators,
    build_guard_evaluator,
    choose_guard_figure,
    make_random_embeddings,
    make_random_patches,
    require_best_figure,
    require_leading_geometry,
    require_test_set,
)
from sslreg.assembly.image_readers import build_readers
from sslreg.assembly.model_trial import UnsupportedTrialError, try_model
from sslreg.assembly.run_facts import require_divisible_batch, require_end
from sslreg.assembly.view_trial import ViewShape, find_constant_augmentations, try_operations
from sslreg.contracts import PatchEvaluator
from sslreg.errors import Diagnostic, UserError
from sslreg.spec import ComponentSpec, Spec
from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.tree import find_nearest
from sslreg.spec.view_roles import main_view
from sslreg.views import without_compilation

Result = TypeVar("Result")

#: The number of steps in an epoch with which schedules are tried; only the data tells the actual one.
_STEPS_PER_EPOCH = 100


def try_spec(spec: Spec) -> tuple[Diagnostic, ...]:
    """Build and run what a spec describes without its data, so that training accepts what this function accepts.

    Augmentations and evaluators are built, and views are made of a stand-in image. The model, the loss and a step are
    tried on the meta device, which has no memory. A data set, a callback or a logger may declare a static method
    ``validate(**params)``, which raises a ValueError.

    Returns:
        The warnings of the spec and those that the trial has found.

    Raises:
        SpecError: training would refuse the spec; the error has a diagnostic for every mistake.
    """
    # Building components draws from the generator, and must not change later draws.
    # Compiling kernels for the views of one image would take seconds.
    with torch.random.fork_rng(devices=[]), without_compilation():
        return _try_spec(spec)


def _try_spec(spec: Spec) -> tuple[Diagnostic, ...]:
    trial = _Trial(spec)
    devices = trial.attempt(partial(resolve_devices, spec)) or Devices("cpu", 1, 1)
    builder = Builder(spec, {"world_size": devices.processes, "batch_size": spec.data.batch_size})
    trial.attempt(partial(require_divisible_batch, spec, devices.processes))
    trial.attempt(partial(require_end, spec))
    for component in spec.components():
        trial.attempt(partial(_validate_params, spec, component))
    trial.attempt(partial(build_readers, spec))
    trial.attempt(partial(require_test_set, spec))
    evaluators = trial.attempt(partial(build_evaluators, builder))
    if evaluators is not None:
        trial.attempt(partial(_check_best_figure, spec, evaluators))
    guard = trial.attempt(partial(build_guard_evaluator, builder))
    if guard is not None:
        trial.attempt(partial(_check_guard_figure, spec, guard))
    judges = [*(evaluators or ()), *([] if guard is None else [guard])]
    views = [trial.attempt(partial(try_operations, builder, entry.augment)) for entry in spec.views]
    if None not in views:
        trial.warn(find_constant_augmentations(spec))
    embed_view = None
    if spec.embed_view is not None:
        embed_view = trial.attempt(partial(try_operations, builder, spec.embed_view))
    elif views[spec.views.index(main_view(spec))] is not None:
        embed_view = trial.attempt(partial(try_operations, builder, main_view(spec).augment, embedding=True))
    made = [view for view, entry in zip(views, spec.views, strict=True) if view for _ in range(entry.repeat)]
    if None not in views and embed_view is not None:
        trial.attempt(partial(_require_batch_memory, spec, made, devices))
        if not trial.found_errors:
            trial.attempt(partial(require_leading_geometry, spec, judges))
            trial.warn(trial.attempt(partial(_try_model, builder, devices, made, embed_view, judges)) or ())
            trial.attempt(partial(try_baselines, builder, embed_view, evaluators or ()))
    return trial.finish()


class _Trial:
    """The mistakes that the parts of a trial have found."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._diagnostics = DiagnosticCollector()
        self._diagnostics.sources.update(spec.sources)

    @property
    def found_errors(self) -> bool:
        return bool(self._diagnostics.error_count)

    def attempt(self, part: Callable[[], Result]) -> Result | None:
        """Return the result of a part of the trial; None if it finds a mistake."""
        try:
            return part()
        except UserError as error:
            for diagnostic in error.diagnostics:
                self._diagnostics.add(find_nearest(self._spec.tree, ()).location, diagnostic)
        return None

    def warn(self, warnings: Iterable[Diagnostic]) -> None:
        """Add warnings."""
        for warning in warnings:
            self._diagnostics.add(find_nearest(self._spec.tree, ()).location, warning)

    def finish(self) -> tuple[Diagnostic, ...]:
        """Return the warnings, those of the spec included. Raises `SpecError` with all mistakes if there are any."""
        self.warn(self._spec.warnings)
        self._diagnostics.raise_errors()
        return self._diagnostics.select("warning")


def _try_model(
    builder: Builder,
    devices: Devices,
    views: Sequence[ViewShape],
    embed_view: ViewShape,
    evaluators: Sequence[NamedEvaluator],
) -> list[Diagnostic]:
    builder.facts["in_channels"] = views[0].shape[0]
    if all(view.is_fixed for view in views):
        builder.facts["image_size"] = max(max(view.shape[1:]) for view in views)
    epochs, steps = builder.spec.trainer.get("max_epochs") or math.inf, builder.spec.trainer.get("max_steps", -1)
    total = min(epochs * _STEPS_PER_EPOCH, math.inf if steps == -1 else steps)
    if math.isfinite(total):
        builder.facts.update(steps_per_epoch=_STEPS_PER_EPOCH, total_steps=int(total))
    with suppress(UnsupportedTrialError):
        return try_model(builder, devices, views, embed_view, evaluators)
    return []


def _check_best_figure(spec: Spec, evaluators: Sequence[NamedEvaluator]) -> None:
    """Compare ``checkpoint.best`` with the figures that its evaluator gives for random embeddings."""
    require_best_figure(spec)
    best = spec.checkpoint.best or ""
    figures: set[str] = set()
    for entry in evaluators:
        if best.startswith(f"{entry.name}_"):
            metrics = _try_evaluator(entry)
            if metrics is None:
                return
            figures |= {f"{entry.name}_{metric}" for metric in metrics}
    require_best_figure(spec, figures or None)


def _check_guard_figure(spec: Spec, guard: NamedEvaluator) -> None:
    """Compare ``guard.figure`` with the figures that its evaluator gives for random embeddings."""
    metrics = _try_evaluator(guard)
    if metrics is not None:
        choose_guard_figure(spec, guard, metrics)


def _try_evaluator(entry: NamedEvaluator) -> list[str] | None:
    """Return the metrics of random embeddings; None if the evaluator needs images, or other embeddings."""
    on_cpu: Any = SimpleNamespace(device=torch.device("cpu"))
    try:
        if isinstance(entry.evaluator, PatchEvaluator):
            return list(entry.evaluator.evaluate_patches(*make_random_patches(), on_cpu))
        return list(entry.evaluator.evaluate(*make_random_embeddings(), on_cpu))
    except Exception:  # noqa: BLE001 - it may be that of any package
        return None


def _validate_params(spec: Spec, component: ComponentSpec) -> None:
    """Call the static method ``validate(**params)`` of a component, if it has one."""
    target = component.info.load()
    validate = inspect.getattr_static(target, "validate", None)
    # A class may have a method of this name that does something else.
    if not isinstance(validate, staticmethod) and not (inspect.isfunction(target) and validate):
        return
    try:
        with component.info.blame("method validate"):
            target.validate(**component.params)
    except ValueError as error:
        raise spec.error(component.path, "bad-value", f"{component.use}: {error}") from error
    except UserError as error:
        raise spec.locate_error(error, component.path) from error


def _require_batch_memory(spec: Spec, views: Sequence[ViewShape], devices: Devices) -> None:
    """Refuse a batch whose views exceed the memory of this machine."""
    values = sum(view.smallest for view in views)
    size, memory = 4 * values * (spec.data.batch_size // devices.processes), host_memory()
    if memory is not None and size > memory:
        raise spec.error(
            ("data", "batch_size"),
            "too-large",
            f"the views of a batch take {math.ceil(size / 1e9):,} GB of memory, and this machine has "
            f"{memory / 1e9:.0f} GB",
            "use smaller views or a smaller data.batch_size",
        )
