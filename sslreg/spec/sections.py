"""What a spec is once it has been read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from sslreg.errors import Diagnostic
from sslreg.registry import ComponentInfo
from sslreg.spec.diagnostics import SpecError
from sslreg.spec.parameters import Section, Slot, fields_of
from sslreg.spec.scalars import dump
from sslreg.spec.trainer_keys import trainer_keys
from sslreg.spec.tree import At, Entries, nearest, plain

#: The version of the language that this program reads.
VERSION = 1


@dataclass(frozen=True)
class ComponentSpec:
    """A component as a spec names it.

    use: the name as written; info: the component that it names; params: what is written for its constructor, with
    nested components as `ComponentSpec` or a list of them; keys: what the run reads from it (`p`, `every`, `as`), with
    their defaults; at: where in the spec it is.
    """

    kind: str
    use: str
    info: ComponentInfo
    params: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    at: At = ()


@dataclass(frozen=True)
class TaskSpec:
    """What the embeddings are for.

    keep: what the task tells apart, and the views therefore should not destroy.
    """

    keep: tuple[Literal["shape", "texture", "color"], ...] = ()


@dataclass(frozen=True)
class DataSpec:
    """The images.

    train: what the training learns from; it needs no labels.
    reference: what evaluators know; by default the training set, where it has labels.
    test: what evaluators judge.
    channels: every image is brought to this number: gray to RGB and back, alpha over white, CMYK to RGB.
    on_error: whether a broken image ends the run (raise) or is replaced, counted and listed (skip).
    batch_size: samples in a batch, over all devices together; incomplete last batches are dropped.
    workers: processes that load data, for each device; 0 loads in the training process.
    """

    train: Annotated[ComponentSpec, Slot("dataset")]
    reference: Annotated[ComponentSpec | None, Slot("dataset", optional=True)] = None
    test: Annotated[ComponentSpec | None, Slot("dataset", optional=True)] = None
    channels: Annotated[int, Field(ge=1)] = 3
    on_error: Literal["raise", "skip"] = "raise"
    batch_size: Annotated[int, Field(ge=1)] = 256
    workers: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class ViewSpec:
    """One kind of view.

    augment: the augmentations, in the order in which they act.
    repeat: how many views of this kind each image gives.
    place: where the work is done; auto puts geometry on the host and the rest on the accelerator.
    """

    augment: Annotated[tuple[ComponentSpec, ...], Slot("augmentation", many=True)]
    repeat: Annotated[int, Field(ge=1)] = 1
    place: Literal["auto", "host", "device"] = "auto"


@dataclass(frozen=True)
class CheckpointSpec:
    """What is kept while training.

    every_minutes: how often the state is saved, beside the start and the end.
    every_steps: save it also every so many steps.
    best: the metric whose best epoch is kept beside the last.
    """

    every_minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    every_steps: Annotated[int, Field(ge=1)] | None = None
    best: str | None = None


@dataclass(frozen=True)
class EngineSpec:
    """How the training computes.

    compile: whether the model is compiled.
    on_nan: what a loss or a gradient that is not finite does. It stops the run; or the step is left out (skip); or the
        run goes back to its last checkpoint and leaves out the steps that led there (rewind).
    channels_last: whether weights and views lie in memory with their channels last, as convolutions on GPUs prefer.
    ema: keeps an average of the weights, of which so much stays at each step; it is what is evaluated and used.
    on_collapse: whether embeddings that lie in one point or on a line are warned of, or stop the run.
    """

    compile: bool = False
    channels_last: bool = False
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    on_collapse: Literal["warn", "stop"] = "warn"
    on_nan: Literal["stop", "skip", "rewind"] = "stop"


def _section(made: type, **how: bool) -> Section:
    return Section(fields_of(made), made, **how)


def _as_folder(name: str) -> str:
    if not re.fullmatch(r"\w[\w .+=-]*", name):
        raise ValueError("a folder is named after it, so it is letters, digits and - _ . + = alone")
    return name


@dataclass(frozen=True)
class Sections:
    """The spec's language: its keys, their types and defaults.

    version: the version of the language, 1.
    name: what the run is called; by default the file's name.
    seed: what all randomness derives from.
    task: what the embeddings are for.
    data: the images.
    views: one entry for each kind of view.
    embed_view: how images are shown to the backbone once trained; by default derived from the views.
    model: the self-supervised method.
    loss: what the method minimizes.
    optimizer: how parameters are updated.
    schedule: how the learning rate changes.
    trainer: lightning.Trainer's arguments by their own names.
    evaluate: what is measured on the embeddings.
    callbacks: Lightning callbacks.
    loggers: where metrics are written beside the run folder.
    checkpoint: what is kept while training.
    engine: how the training computes.
    """

    version: Literal[1]
    data: Annotated[DataSpec, _section(DataSpec)]
    views: Annotated[tuple[ViewSpec, ...], _section(ViewSpec, many=True)]
    model: Annotated[ComponentSpec, Slot("model")]
    loss: Annotated[ComponentSpec, Slot("loss")]
    optimizer: Annotated[ComponentSpec, Slot("optimizer")]
    name: Annotated[str, AfterValidator(_as_folder)] = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    task: Annotated[TaskSpec | None, _section(TaskSpec, optional=True)] = None
    embed_view: Annotated[tuple[ComponentSpec, ...] | None, Slot("augmentation", many=True, optional=True)] = None
    schedule: Annotated[ComponentSpec | None, Slot("schedule", optional=True)] = None
    trainer: Annotated[dict[str, Any], Section(trainer_keys(), dict)] = field(default_factory=dict)
    evaluate: Annotated[tuple[ComponentSpec, ...], Slot("evaluator", many=True)] = ()
    callbacks: Annotated[tuple[ComponentSpec, ...], Slot("callback", many=True)] = ()
    loggers: Annotated[tuple[ComponentSpec, ...], Slot("logger", many=True)] = ()
    checkpoint: Annotated[CheckpointSpec, _section(CheckpointSpec)] = CheckpointSpec()
    engine: Annotated[EngineSpec, _section(EngineSpec)] = EngineSpec()


@dataclass(frozen=True, kw_only=True)
class Spec(Sections):
    """A spec that has been read and found right.

    warnings: what is doubtful about it; file: where it is from; sources: the text of that file and of all else that it
    was put together from; tree: all values after composition, with their places.
    """

    warnings: tuple[Diagnostic, ...]
    file: str
    sources: Mapping[str, str] = field(repr=False)
    tree: Entries = field(repr=False)

    @property
    def source(self) -> str:
        """The text as written."""
        return self.sources[self.file]

    @property
    def samples_per_step(self) -> int:
        """Samples behind one step of the optimizer: a batch, times those whose gradients are accumulated."""
        return self.data.batch_size * int(self.trainer.get("accumulate_grad_batches", 1))

    @property
    def learning_rate_scale(self) -> float:
        """What the optimizer's learning rate is multiplied with.

        Its `base_batch_size` says for how many samples it is stated, and the rate goes with the number of samples
        behind a step (arXiv 1706.02677, section 2.1).
        """
        base = self.optimizer.keys["base_batch_size"]
        return 1.0 if base is None else self.samples_per_step / base

    def components(self) -> list[ComponentSpec]:
        """All components, nested ones too, in the order of the sections."""
        return components([getattr(self, section.name) for section in fields(Sections)])

    def resolved(self) -> dict[str, Any]:
        """The spec after composition as plain data; ``${env:…}``, which may be secret, stays as written."""
        data: dict[str, Any] = plain(self.tree, secrets=False)
        return data

    def to_yaml(self) -> str:
        """`resolved` as a spec file."""
        return dump(self.resolved())

    def error(self, at: At, code: str, message: str, hint: str | None = None) -> SpecError:
        """The exception for what turns out later to be wrong at a place, or missing there."""
        origin = nearest(self.tree, at).origin
        found = Diagnostic(code, message, hint, origin.file, origin.line, origin.column)
        return SpecError(found, sources=self.sources)


def components(value: Any) -> list[ComponentSpec]:
    """All components within a value, outermost first: nested ones, and those of views and of data."""
    match value:
        case ComponentSpec():
            return [value, *components(list(value.params.values()))]
        case ViewSpec():
            return components(value.augment)
        case DataSpec():
            return components([value.train, value.reference, value.test])
        case list() | tuple():
            return [found for item in value for found in components(item)]
    return []
