"""The sections of a spec and the objects that they become. Every key and default of the language is declared here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from sslreg.errors import Diagnostic, UserError
from sslreg.metric_names import SOURCE
from sslreg.registry import ComponentInfo
from sslreg.spec.diagnostics import SpecError
from sslreg.spec.parameters import Section, Slot, build_section, section_keys
from sslreg.spec.trainer_keys import trainer_parameters
from sslreg.spec.tree import KeyPath, MappingNode, find_nearest, to_python
from sslreg.spec.yaml_dump import dump_yaml

#: The version of the spec language that this program reads.
VERSION = 1

#: A level of an image.
_Level = Annotated[float, Field(allow_inf_nan=False)]

#: The largest number of pixels in an image by default, beyond which Pillow, too, suspects an attack.
MAX_PIXELS = 178_956_970


def _section(cls: type, **options: bool) -> Section:
    return Section(section_keys(cls), partial(build_section, cls), **options)


@dataclass(frozen=True)
class ComponentSpec:
    """A component in a spec.

    Attributes:
        kind: the kind of the component.
        use: its name as written.
        info: the registered component that `use` names.
        params: the values for its constructor; nested components are `ComponentSpec`s or lists of them.
        keys: the values that the run reads (`p`, `every`, `as`), defaults included.
        path: where it is in the spec.
    """

    kind: str
    use: str
    info: ComponentInfo
    params: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=dict)
    path: KeyPath = ()


@dataclass(frozen=True)
class TaskSpec:
    """The task that the embeddings are for.

    Attributes:
        keep: the properties that matter for the task; check warns of augmentations that teach a model to overlook them.
    """

    keep: tuple[Literal["shape", "texture", "color"], ...] = ()


def _require_rising(bounds: tuple[float, float] | None) -> tuple[float, float] | None:
    if bounds is not None and not bounds[0] < bounds[1]:
        raise ValueError("the first level, which is black, is below the second, which is white")
    return bounds


def _require_background(background: str | None) -> str | None:
    named = background in (None, "white", "black", "random", "keep")
    if not (named or re.fullmatch(r"#[0-9a-fA-F]{6}", background or "")):
        raise ValueError("it is white, black, random, keep, or a quoted color such as '#808080'")
    return background


@dataclass(frozen=True)
class SplitSpec:
    """The shares of the data set `train` that become other data sets.

    A hash of its name decides in which part a sample is, or a hash of its group if the data set has groups. So samples
    stay in their part when others are added, and a group is never divided.

    Attributes:
        test: the share of the samples that become the test set.
        reference: the share of the samples that become the reference set.
        seed: another seed gives other parts; it does not depend on the seed of the run.
    """

    test: Annotated[float, Field(gt=0, lt=1)] | None = None
    reference: Annotated[float, Field(gt=0, lt=1)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0

    @property
    def shares(self) -> dict[str, float]:
        """The share of each part except the training set."""
        shares = {"test": self.test, "reference": self.reference}
        return {role: share for role, share in shares.items() if share is not None}


@dataclass(frozen=True)
class DataSpec:
    """The data sets and how they are loaded.

    Attributes:
        train: the training set; it needs no labels.
        reference: the data set that evaluators fit on; by default the training set.
        test: the data set that evaluators are tested on.
        split: the shares of `train` that become the test set and the reference set instead of being trained on.
        validation: the share of the reference set on which evaluators are tested, instead of `test`, which is not read.
            Choose among specs by it, so that `test` still measures the one that you choose.
        channels: the number of channels of every image. Images are converted: gray to RGB and back, and CMYK to RGB.
        range: the levels that are black and white, [low, high], such as [0, 10000]. Levels below and above are clipped,
            and NaN is black. By default, what the reader of an image states.
        background: what is behind transparent pixels: white, black, a color such as '#808080', random (each view draws
            a color in training; elsewhere it is white), or keep (the opacity is the last channel). By default white,
            unless an image with its opacity has `channels` channels.
        max_pixels: the largest number of pixels in an image; larger ones count as unreadable. A small file may claim
            any size and fill the memory, so raise it only for images that you trust, such as whole slides.
        readers: readers with parameters. Of several that match an image, the first is used.
        on_error: whether an unreadable image stops the run (raise) or is replaced, counted and listed (skip).
        batch_size: the number of samples in a batch, over all devices together; an incomplete last batch is dropped.
        workers: the number of processes that load data, per device; 0 loads in the training process.
    """

    train: Annotated[ComponentSpec, Slot("dataset")]
    reference: Annotated[ComponentSpec | None, Slot("dataset", optional=True)] = None
    test: Annotated[ComponentSpec | None, Slot("dataset", optional=True)] = None
    split: Annotated[SplitSpec | None, _section(SplitSpec, optional=True)] = None
    validation: Annotated[float, Field(gt=0, lt=1)] | None = None
    channels: Annotated[int, Field(ge=1)] = 3
    range: Annotated[tuple[_Level, _Level] | None, AfterValidator(_require_rising)] = None
    background: Annotated[str | None, AfterValidator(_require_background)] = None
    max_pixels: Annotated[int, Field(ge=1)] = MAX_PIXELS
    readers: Annotated[tuple[ComponentSpec, ...], Slot("reader", many=True)] = ()
    on_error: Literal["raise", "skip"] = "raise"
    batch_size: Annotated[int, Field(ge=1)] = 256
    workers: Annotated[int, Field(ge=0)] = 0

    def find(self, role: str) -> ComponentSpec | None:
        """Return the data set that has the samples of a role: train, reference or test; None without.

        It is `train` for the parts of a split, and with `validation` the reference set for the test set.
        """
        if self.validation is not None and role != "train":
            return self.find_whole(self.whole_reference)
        return self.find_whole(role)

    def find_whole(self, role: str) -> ComponentSpec | None:
        """Return the data set of a role as `find` does, but without regard to `validation`."""
        if self.split is not None and role in self.split.shares:
            return self.train
        component: ComponentSpec | None = getattr(self, role)
        return component

    @property
    def whole_reference(self) -> str:
        """The role of the reference set without regard to `validation`: reference, or train if there is none."""
        return "train" if self.find_whole("reference") is None else "reference"


@dataclass(frozen=True)
class ViewSpec:
    """One kind of view.

    Attributes:
        augment: the augmentations, in the order in which they are applied.
        role: the role of the views in the model, such as global or local; by default the first that the model has.
        repeat: how many views of this kind are made of each image.
        place: where the augmentations run; auto runs geometry on the host and the rest on the accelerator.
    """

    augment: Annotated[tuple[ComponentSpec, ...], Slot("augmentation", many=True)]
    role: str | None = field(default=None, metadata={"key": "as"})
    repeat: Annotated[int, Field(ge=1, le=1000)] = 1
    place: Literal["auto", "host", "device"] = "auto"


@dataclass(frozen=True)
class CheckpointSpec:
    """When checkpoints are saved.

    Attributes:
        every_minutes: the time between checkpoints; one is also saved at the start and at the end.
        every_steps: also save a checkpoint every n steps.
        best: a metric; the checkpoint of the epoch with its best value is kept in addition to the last one.
    """

    every_minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    every_steps: Annotated[int, Field(ge=1)] | None = None
    best: str | None = None


@dataclass(frozen=True)
class EngineSpec:
    """How the training computes.

    Attributes:
        compile: whether the modules that the model trains are compiled, by default its backbone.
        gradient_checkpointing: whether the trained backbones compute activations again in the backward pass, with equal
            gradients; it saves memory and takes time.
        channels_last: whether weights and views are stored with channels last, which speeds up convolutions on GPUs.
        ema: the decay of an exponential moving average of the weights; the average is evaluated and used.
        on_collapse: whether collapsed embeddings (all in one point or on a line) cause a warning or stop the run.
        on_nan: what happens if a loss or a gradient is not finite: stop the run (stop), leave out the step (skip), or
            return to the last checkpoint and leave out the steps since then (rewind).
    """

    compile: bool = False
    gradient_checkpointing: bool = False
    channels_last: bool = False
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    on_collapse: Literal["warn", "stop"] = "warn"
    on_nan: Literal["stop", "skip", "rewind"] = "stop"


@dataclass(frozen=True)
class GuardSpec:
    """A second data set, on which the features must not become worse while the model is trained.

    Continuing from existing weights improves them for the images of a run, and may ruin them for those that they were
    trained on. The guard measures that.

    Attributes:
        reference: the data set that the evaluator fits on.
        test: the data set that the evaluator is tested on.
        evaluator: the evaluator, which runs before the first step and then after every epoch, or as often as its
            `every` says.
        figure: the metric that counts, such as top1; by default the first that the evaluator returns.
        max_drop: how far the metric may fall below its value before the first step.
        on_drop: whether a lower metric ends the run with the last weights that were good enough (stop), or is
            only reported (warn).
    """

    reference: Annotated[ComponentSpec, Slot("dataset")]
    test: Annotated[ComponentSpec, Slot("dataset")]
    evaluator: Annotated[ComponentSpec, Slot("evaluator")]
    figure: str | None = None
    max_drop: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.02
    on_drop: Literal["stop", "warn"] = "stop"


def _require_folder_name(name: str) -> str:
    if not re.fullmatch(r"\w[\w .+=-]*", name):
        raise ValueError("it names the run's folder, so it may contain only letters, digits, spaces and - _ . + =")
    return name


def _require_source(expect: dict[str, float | str]) -> dict[str, float | str]:
    metrics = {name: value for name, value in expect.items() if name != SOURCE}
    if expect and not (metrics and isinstance(expect.get(SOURCE), str)):
        raise ValueError("name at least one metric with its value, and their source: {knn_top1: 0.838, source: …}")
    if wrong := [name for name, value in metrics.items() if isinstance(value, str)]:
        raise ValueError(f"{wrong[0]} is not a number")
    return expect


@dataclass(frozen=True)
class Sections:
    """The top level of a spec: its keys, their types and their defaults.

    Attributes:
        version: the version of the spec language, 1.
        name: the name of the run; by default the name of the spec file.
        seed: the seed of all randomness.
        task: the task that the embeddings are for.
        data: the data sets and how they are loaded.
        views: one entry for each kind of view.
        embed_view: the augmentations of the view that is embedded after training; by default derived from the views.
        model: the self-supervised method.
        loss: the loss that the method minimizes.
        optimizer: the optimizer.
        schedule: how the learning rate changes, or a list of schedules that each change something else.
        trainer: arguments of lightning.Trainer, by their own names.
        evaluate: the evaluators of the embeddings.
        baselines: further backbones by name, which are evaluated frozen, to compare the trained one with.
        guard: a second data set, on which the features must not become worse.
        callbacks: Lightning callbacks.
        loggers: loggers that receive the metrics in addition to the run folder.
        checkpoint: when checkpoints are saved.
        engine: how the training computes.
        expect: the metrics that the spec is expected to reach, and `source`, which says who measured them. A spec that
            extends this one does not inherit them, because it may train something else.
    """

    version: Literal[1]
    data: Annotated[DataSpec, _section(DataSpec)]
    views: Annotated[tuple[ViewSpec, ...], _section(ViewSpec, many=True)]
    model: Annotated[ComponentSpec, Slot("model")]
    loss: Annotated[ComponentSpec, Slot("loss")]
    optimizer: Annotated[ComponentSpec, Slot("optimizer")]
    name: Annotated[str, AfterValidator(_require_folder_name)] = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    task: Annotated[TaskSpec | None, _section(TaskSpec, optional=True)] = None
    embed_view: Annotated[tuple[ComponentSpec, ...] | None, Slot("augmentation", many=True, optional=True)] = None
    schedule: Annotated[
        tuple[ComponentSpec, ...] | None, Slot("schedule", many=True, allows_one=True, optional=True)
    ] = None
    trainer: Annotated[dict[str, Any], Section(trainer_parameters(), dict)] = field(default_factory=dict)
    evaluate: Annotated[tuple[ComponentSpec, ...], Slot("evaluator", many=True)] = ()
    baselines: Annotated[dict[str, ComponentSpec], Slot("backbone", by_name=True)] = field(default_factory=dict)
    guard: Annotated[GuardSpec | None, _section(GuardSpec, optional=True)] = None
    callbacks: Annotated[tuple[ComponentSpec, ...], Slot("callback", many=True)] = ()
    loggers: Annotated[tuple[ComponentSpec, ...], Slot("logger", many=True)] = ()
    checkpoint: Annotated[CheckpointSpec, _section(CheckpointSpec)] = CheckpointSpec()
    engine: Annotated[EngineSpec, _section(EngineSpec)] = EngineSpec()
    expect: Annotated[dict[str, float | str], AfterValidator(_require_source)] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Spec(Sections):
    """A valid spec.

    Attributes:
        warnings: the warnings of `check`.
        file: the file that the spec was loaded from.
        sources: the contents of that file and of everything else that the spec was composed from, by file name.
        tree: all values after composition, with their locations.
    """

    warnings: tuple[Diagnostic, ...]
    file: str
    sources: Mapping[str, str] = field(repr=False)
    tree: MappingNode = field(repr=False)

    @property
    def source(self) -> str:
        """The text of the spec file."""
        return self.sources[self.file]

    @property
    def samples_per_step(self) -> int:
        """The number of samples in an optimizer step: the batch size times the number of accumulated batches."""
        return self.data.batch_size * int(self.trainer.get("accumulate_grad_batches", 1))

    @property
    def learning_rate_scale(self) -> float:
        """The factor by which the optimizer's learning rate is multiplied.

        The optimizer's `base_batch_size` is the number of samples per step for which the rate is stated. The rate is
        scaled in proportion to the actual number (arXiv 1706.02677, section 2.1).
        """
        base = self.optimizer.keys["base_batch_size"]
        return 1.0 if base is None else self.samples_per_step / base

    def components(self) -> list[ComponentSpec]:
        """Return all components, nested ones included, in the order of the sections."""
        return find_components([getattr(self, section.name) for section in fields(Sections)])

    def to_dict(self) -> dict[str, Any]:
        """Return the composed spec as plain data; ``${env:…}``, which may be secret, is kept as written."""
        data: dict[str, Any] = to_python(self.tree, secrets=False)
        return data

    def to_yaml(self) -> str:
        """Return the composed spec as the text of a spec file."""
        return dump_yaml(self.to_dict())

    def describe_dataset(self, role: str) -> dict[str, Any]:
        """Return the entry of a data set (train, reference or test) as plain data; of a part, also what divides it.

        Entries are equal only if the data sets have the same samples.
        """
        if self.data.validation is None or role == "train":
            return self._describe_whole(role)
        return {
            **self._describe_whole(self.data.whole_reference),
            "validation": {"part": role, "share": self.data.validation},
        }

    def _describe_whole(self, role: str) -> dict[str, Any]:
        section = self.to_dict()["data"]
        if self.data.split is not None and self.data.find_whole(role) is self.data.train:
            return {**section["train"], "split": {"part": role, **section["split"]}}
        entry: dict[str, Any] = section[role]
        return entry

    def error(self, path: KeyPath, code: str, message: str, hint: str | None = None) -> SpecError:
        """Return an exception for a mistake at `path` that is found after loading."""
        return SpecError(self._locate(path, Diagnostic(code, message, hint)), sources=self.sources)

    def warning(self, path: KeyPath, code: str, message: str, hint: str | None = None) -> Diagnostic:
        """Return a warning about `path` that is found after loading."""
        return self._locate(path, Diagnostic(code, message, hint, severity="warning"))

    def _locate(self, path: KeyPath, diagnostic: Diagnostic) -> Diagnostic:
        location = find_nearest(self.tree, path).location
        return diagnostic.with_location(location.file, location.line, location.column)

    def locate_error(self, error: UserError, path: KeyPath) -> SpecError:
        """Return an error with the location of `path`; a location that it already has is kept."""
        at = find_nearest(self.tree, path).location
        located = [diagnostic.with_location(at.file, at.line, at.column) for diagnostic in error.diagnostics]
        return SpecError(*located, sources=self.sources)


def find_components(value: Any) -> list[ComponentSpec]:
    """Return all components in a value, outermost first: nested ones, and those of views and of data."""
    match value:
        case ComponentSpec():
            return [value, *find_components(list(value.params.values()))]
        case ViewSpec():
            return find_components(value.augment)
        case DataSpec():
            return find_components([value.train, value.reference, value.test, *value.readers])
        case GuardSpec():
            return find_components([value.reference, value.test, value.evaluator])
        case dict():
            return find_components(list(value.values()))
        case list() | tuple():
            return [component for item in value for component in find_components(item)]
    return []
