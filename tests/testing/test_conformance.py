"""The kit notices what breaks a contract, and says which component it is and what it should have."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import sslreg
from sslreg.contracts import SampleKeys
from sslreg.registry import KINDS, Catalog
from sslreg.testing import conformance, temporary_components
from sslreg.testing.case import Case
from sslreg.testing.checks import CHECKS
from sslreg.testing.tiny_components import (
    TINY_COMPONENTS,
    Darken,
    Pictures,
    RecordingLoss,
    TinyBackbone,
    TinyBank,
    TinyMaskSampler,
    TinyModel,
)


class Unkeyed(Darken):
    """Draws from torch's generator."""

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"factor": torch.rand(len(keys))}


class Equalizing(sslreg.Augmentation):
    """Looks at the whole batch."""

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images - images.mean()


class Overwriting(sslreg.Augmentation):
    """Works in place."""

    ragged = True

    def apply(self, images: sslreg.Images, params: sslreg.Params) -> sslreg.Images:
        return [image.mul_(0.5) for image in images]


class Cropping(sslreg.Augmentation):
    """Says nothing of the size that it changes."""

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images[..., :8, :8]


class Remembering(Darken):
    """Counts its calls."""

    calls = 0

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        self.calls += 1
        return super().apply(images, params)


class Unpicklable(Darken):
    """Holds a function."""

    def __init__(self) -> None:
        self.function = lambda image: image


class NotANumber(sslreg.Loss):
    """Divides by zero."""

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        return views[0].sum() / 0


class PerSample(sslreg.Loss):
    """Is no scalar."""

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        return (views[0] - views[1]).square().mean(1)


class Detached(sslreg.Loss):
    """Has no gradient."""

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        return (views[0] - views[1]).detach().square().mean()


class Ordered(sslreg.Loss):
    """Takes the first sample for more than the others."""

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        return (views[0] - views[1]).square().mean() + views[0][0].square().sum()


class Hasty(sslreg.Loss):
    """Moves a center in `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(()))

    def forward(self, *views: Tensor, targets: Tensor | None = None) -> Tensor:
        self.center = self.center + 1
        return (views[0] - views[1]).square().mean() * self.center


class Orphan(sslreg.Loss):
    """Takes what no model gives."""

    takes = "tea leaves"


class Impatient(TinyBank):
    """Writes at once."""

    def enqueue(self, keys: Tensor) -> None:
        super().enqueue(keys)
        self.commit()


class Forgetful(TinyBank):
    """Keeps its contents out of the checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", self.rows, persistent=False)


class Aliasing(TinyBank):
    """Stages without a copy."""

    def enqueue(self, keys: Tensor) -> None:
        super().enqueue(keys)
        self.staged[-1] = keys.detach()


class Truncating(TinyBank):
    """Drops what does not fit before the end."""

    def enqueue(self, keys: Tensor) -> None:
        left = len(self.rows) - int(self.count) % len(self.rows)
        super().enqueue(keys[:left])


class Welcoming(TinyBank):
    """Cuts keys of another width to its own."""

    def enqueue(self, keys: Tensor) -> None:
        super().enqueue(keys[:, :8])


class Attached(TinyBank):
    """Keeps the gradient."""

    def negatives(self) -> Tensor:
        return self.rows.clone().requires_grad_()


class Flat(TinyBank):
    """Gives rows without a width."""

    def negatives(self) -> Tensor:
        return super().negatives().flatten()


class Unseeded(TinyMaskSampler):
    """Draws from torch's generator."""

    def sample(self, keys: sslreg.Keys, grid: tuple[int, int]) -> sslreg.Masks:
        return super().sample(SampleKeys.from_torch(len(keys)), grid)


class Uniting(TinyMaskSampler):
    """Masks all images like the first."""

    def sample(self, keys: sslreg.Keys, grid: tuple[int, int]) -> sslreg.Masks:
        masks = super().sample(keys, grid)
        return sslreg.Masks(*(mask[:1].expand_as(mask) for mask in (masks.context, masks.targets)))


class Overlapping(TinyMaskSampler):
    """Lets the method see targets."""

    def sample(self, keys: sslreg.Keys, grid: tuple[int, int]) -> sslreg.Masks:
        masks = super().sample(keys, grid)
        return sslreg.Masks(masks.context | masks.targets[:, 0], masks.targets)


class Blinding(TinyMaskSampler):
    """Masks everything."""

    def sample(self, keys: sslreg.Keys, grid: tuple[int, int]) -> sslreg.Masks:
        masks = super().sample(keys, grid)
        return sslreg.Masks(masks.context & False, masks.targets | True)


class Idle(TinyMaskSampler):
    """Masks nothing."""

    def sample(self, keys: sslreg.Keys, grid: tuple[int, int]) -> sslreg.Masks:
        masks = super().sample(keys, grid)
        return sslreg.Masks(masks.context | True, masks.targets & False)


class SingleSet(TinyMaskSampler):
    """Leaves out the dimension of the sets."""

    def sample(self, keys: sslreg.Keys, grid: tuple[int, int]) -> sslreg.Masks:
        masks = super().sample(keys, grid)
        return sslreg.Masks(masks.context, masks.targets[:, 0])


class Crashing(TinyMaskSampler):
    """Divides by zero for a grid of one row."""

    def sample(self, keys: sslreg.Keys, grid: tuple[int, int]) -> sslreg.Masks:
        assert grid[1] // (grid[0] - 1) >= 0
        return super().sample(keys, grid)


class Refusing(TinyMaskSampler):
    """Refuses all grids."""

    def sample(self, keys: sslreg.Keys, grid: tuple[int, int]) -> sslreg.Masks:
        raise ValueError("no")


class Untrained(TinyModel):
    """Learns nothing."""

    def training_step(self, batch: sslreg.Batch, loss: sslreg.Loss) -> sslreg.StepOutput:
        output = super().training_step(batch, loss)
        return sslreg.StepOutput(0 * output.loss)


class Widening(TinyModel):
    """Has embeddings of another width than it says."""

    def __init__(self, backbone: sslreg.Backbone) -> None:
        super().__init__(backbone)
        self.embedding_dim = 99


class Partial(TinyModel):
    """Leaves parameters out."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.parameters())[:1]}]


class Narrow(TinyBackbone):
    """Has more features than it says."""

    def __init__(self, in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3) -> None:
        super().__init__(in_channels)
        self.num_features = 3


class ChannelsFirst(TinyBackbone):
    """Returns its feature map with the channels first."""

    def patches(self, images: Tensor) -> Tensor:
        features: Tensor = self.convolution(images)
        return features


class OnlyColor(sslreg.Backbone):
    """Takes three channels, whatever the run has."""

    def __init__(self) -> None:
        super().__init__()
        self.num_features = 4
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)


class Levels(sslreg.PartialReader):
    """Reads ``LEVELS``, height, width, and as many bytes of gray."""

    def matches(self, name: str, head: bytes) -> bool:
        return head.startswith(b"LEVELS")

    def read(self, source: sslreg.Source) -> sslreg.Pixels:
        height, width = source.data[6:8]
        return sslreg.Pixels(np.frombuffer(source.data[8:], np.uint8).reshape(1, height, width))

    def open(self, source: sslreg.Source) -> sslreg.PartialImage | None:
        return LevelsImage(self.read(source).levels)


class LevelsImage:
    """Levels that are decoded already."""

    dtype = torch.uint8

    def __init__(self, levels: Any) -> None:
        self.levels, self.shape = levels, levels.shape

    def read(self, reduction: int = 1) -> sslreg.Pixels:
        return sslreg.Pixels(self.levels[:, ::reduction, ::reduction])

    def read_parts(self, parts: Sequence[sslreg.Part]) -> list[sslreg.Pixels] | None:
        return [self.part(part) for part in parts]

    def part(self, part: sslreg.Part) -> sslreg.Pixels:
        reduced = self.read(part.reduction).levels
        return sslreg.Pixels(reduced[:, part.top :, part.left :][:, : part.height, : part.width])


class Particular(Levels):
    """Has to be told something."""

    def __init__(self, gamma: float) -> None: ...


class Greedy(Levels):
    """Matches everything."""

    def matches(self, name: str, head: bytes) -> bool:
        return True


class Shy(Levels):
    """Goes by the extension alone."""

    def matches(self, name: str, head: bytes) -> bool:
        return name.endswith(".levels")


class Careless(Levels):
    """Looks at a byte that may be missing."""

    def matches(self, name: str, head: bytes) -> bool:
        return bool(head) and head[7] > 0 and super().matches(name, head)


class Patching(Levels):
    """Fills up what is missing."""

    def read(self, source: sslreg.Source) -> sslreg.Pixels:
        data = source.data + bytes(200)
        height, width = data[6:8]
        return sslreg.Pixels(np.frombuffer(data[8:], np.uint8)[: height * width].reshape(1, height, width))


class Pathless(Levels):
    """Reads no files."""

    def read(self, source: sslreg.Source) -> sslreg.Pixels:
        assert source.path is None
        return super().read(source)


class Loud(Levels):
    """Claims an extension as nobody writes it."""

    extensions = ("LEVELS",)


class Holding(Levels):
    """Holds a function."""

    def __init__(self) -> None:
        self.function = lambda image: image


class Rounding(LevelsImage):
    """Rounds sizes down."""

    def read(self, reduction: int = 1) -> sslreg.Pixels:
        _, height, width = self.levels.shape
        rows, columns = height // reduction * reduction, width // reduction * reduction
        return sslreg.Pixels(self.levels[:, :rows:reduction, :columns:reduction])


class Truncated(Levels):
    """Opens images that round sizes down."""

    def open(self, source: sslreg.Source) -> sslreg.PartialImage | None:
        return Rounding(self.read(source).levels)


class Shifting(LevelsImage):
    """Takes parts from another place."""

    def part(self, part: sslreg.Part) -> sslreg.Pixels:
        return super().part(dataclasses.replace(part, top=0))


class Misplaced(Levels):
    """Opens images whose parts lie elsewhere."""

    def open(self, source: sslreg.Source) -> sslreg.PartialImage | None:
        return Shifting(self.read(source).levels)


class Empty(Pictures):
    """Has no samples."""

    def __len__(self) -> int:
        return 0


class Restless(Pictures):
    """Augments by itself."""

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.rand(3, 8, 8), 0


class Overcounting(Pictures):
    """Has targets beyond its classes."""

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return super().__getitem__(index)[0], index


class Mismasked(Pictures):
    """Has masks of another size than its images."""

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        return super().__getitem__(index)[0], torch.zeros(4, 4, dtype=torch.uint8)


class Remasking(Pictures):
    """Draws its masks anew."""

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        return super().__getitem__(index)[0], torch.randint(4, (16, 16))


class Climbing(torch.optim.SGD):
    """Goes up."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, lr, maximize=True)


class Uniform(torch.optim.SGD):
    """Uses one learning rate for all groups."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__([weight for group in params for weight in group["params"]], lr)


class Exploding(torch.optim.lr_scheduler.LambdaLR):
    """Ends below zero."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(optimizer, lambda step: 1.0 - step)


class Decaying:
    """Changes the weight decay and does not say so."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer

    def step(self) -> None:
        self.optimizer.param_groups[0]["weight_decay"] *= 0.9


class Hopeful(sslreg.Evaluator):
    """Gives figures that are no numbers."""

    def evaluate(
        self, reference: sslreg.Embeddings, test: sslreg.Embeddings, run: sslreg.EvaluatedRun
    ) -> dict[str, float]:
        return {"top1": float("nan")}


def nothing(image: Tensor) -> Tensor:
    return image


FAULTS = [
    ("augmentation", Unkeyed, "is_deterministic"),
    ("augmentation", Equalizing, "does_not_depend_on_the_batch"),
    ("augmentation", Overwriting, "leaves_its_input_and_itself_alone"),
    ("augmentation", Cropping, "announces_its_shapes_and_gives_finite_pixels"),
    ("augmentation", Remembering, "leaves_its_input_and_itself_alone"),
    ("augmentation", Unpicklable, "pickles"),
    ("loss", NotANumber, "is_a_finite_scalar"),
    ("loss", PerSample, "is_a_finite_scalar"),
    ("loss", Detached, "is_differentiable"),
    ("loss", Ordered, "does_not_depend_on_the_order_of_samples"),
    ("loss", Hasty, "changes_its_state_only_in_commit"),
    ("loss", Orphan, "works_with_its_model"),
    ("loss", TinyBank, "derives_from_the_contract"),
    ("memory_bank", Impatient, "writes_only_in_commit"),
    ("memory_bank", Forgetful, "survives_a_checkpoint"),
    ("memory_bank", Aliasing, "copies_its_keys"),
    ("memory_bank", Truncating, "wraps_without_dropping_rows"),
    ("memory_bank", Truncating, "accepts_more_keys_than_it_holds"),
    ("memory_bank", Welcoming, "refuses_keys_of_another_width"),
    ("memory_bank", Attached, "keeps_no_gradient"),
    ("memory_bank", Flat, "returns_rows_of_its_width"),
    ("mask_sampler", Unseeded, "draws_from_the_keys_alone"),
    ("mask_sampler", Uniting, "does_not_depend_on_the_batch"),
    ("mask_sampler", Overlapping, "keeps_context_and_targets_apart"),
    ("mask_sampler", Blinding, "leaves_context_and_targets"),
    ("mask_sampler", Idle, "leaves_context_and_targets"),
    ("mask_sampler", SingleSet, "returns_masks_of_patches"),
    ("mask_sampler", Crashing, "masks_a_grid_or_refuses_it"),
    ("mask_sampler", Refusing, "masks_a_grid_or_refuses_it"),
    ("model", Untrained, "trains"),
    ("model", Widening, "performs_a_training_step"),
    ("model", Partial, "groups_each_trained_parameter_once"),
    ("backbone", Narrow, "returns_the_declared_number_of_features"),
    ("backbone", ChannelsFirst, "returns_a_map_of_features"),
    ("backbone", OnlyColor, "accepts_the_channels_of_the_run"),
    ("reader", Particular, "needs_no_parameters"),
    ("reader", Greedy, "matches_nothing_else"),
    ("reader", Shy, "reads_images"),
    ("reader", Careless, "matches_short_heads_without_error"),
    ("reader", Patching, "refuses_truncated_images"),
    ("reader", Pathless, "reads_files_like_bytes"),
    ("reader", Loud, "claims_extensions"),
    ("reader", Holding, "pickles"),
    ("reader", Truncated, "reads_reduced_images"),
    ("reader", Misplaced, "reads_parts"),
    ("dataset", Empty, "has_samples_that_can_be_read"),
    ("dataset", Restless, "gives_the_same_item_again"),
    ("dataset", Remasking, "gives_the_same_item_again"),
    ("dataset", Overcounting, "has_targets_among_its_classes"),
    ("dataset", Mismasked, "has_masks_of_the_size_of_images"),
    ("optimizer", Climbing, "lowers_a_loss"),
    ("optimizer", Uniform, "uses_the_learning_rate_of_each_group"),
    ("schedule", Exploding, "sets_a_value_for_every_step"),
    ("schedule", Decaying, "declares_what_it_changes"),
    ("evaluator", Hopeful, "returns_finite_metrics"),
    ("augmentation", nothing, "has_a_summary_and_a_docstring"),
]


#: 21 x 18 levels that rise from corner to corner.
LEVELS = b"LEVELS" + bytes([21, 18]) + bytes(row + column for row in range(21) for column in range(18))


def case_of(catalog: Catalog, kind: str, name: str = "under_test", **parameters: Any) -> Case:
    return Case(catalog.get(kind, name), parameters, images=[LEVELS] if kind == "reader" else ())


@pytest.mark.parametrize(("kind", "component", "name"), FAULTS, ids=lambda value: getattr(value, "__name__", value))
def test_a_broken_contract_is_noticed(kind: str, component: Any, name: str) -> None:
    check = {**CHECKS[""], **CHECKS[kind]}[name]
    with (
        temporary_components(**{kind: {"under_test": component}}) as catalog,
        # pytest.fail's and pytest.raises' own exceptions derive from BaseException alone.
        pytest.raises(BaseException) as caught,  # noqa: PT011 - a component may raise whatever it likes
    ):
        check(case_of(catalog, kind))
    assert not isinstance(caught.value, pytest.skip.Exception | KeyboardInterrupt)


@pytest.mark.parametrize("kind", [*TINY_COMPONENTS, "model", "reader"])
def test_the_kits_own_parts_keep_the_contracts(kind: str) -> None:
    parts = {**TINY_COMPONENTS, "model": TinyModel, "reader": Levels}
    with temporary_components(**{kind: {"under_test": parts[kind]}}) as catalog:
        for check in conformance.checks_of(kind):
            try:
                check(case_of(catalog, kind))
            except pytest.skip.Exception:
                continue


def test_every_kind_has_checks_of_its_own() -> None:
    assert set(CHECKS) - {""} == set(KINDS)


class Sized(Darken):
    """Takes a word."""

    def __init__(self, word: str) -> None: ...


def test_a_parameter_that_cannot_be_guessed_is_asked_for() -> None:
    with (
        temporary_components(augmentation={"under_test": Sized}) as catalog,
        pytest.raises(pytest.fail.Exception, match=r"needs 'word' \(str\).*parameters="),
    ):
        case_of(catalog, "augmentation").build()


def test_images_that_a_reader_needs_are_asked_for() -> None:
    with (
        temporary_components(reader={"under_test": Levels}) as catalog,
        pytest.raises(pytest.fail.Exception, match=r"needs encoded images to read.*images="),
    ):
        CHECKS["reader"]["reads_images"](Case(catalog.get("reader", "under_test")))


def test_nested_components_may_be_named() -> None:
    with temporary_components(model={"under_test": TinyModel}) as catalog:
        model = case_of(catalog, "model", backbone={"use": "convnet", "depth": 2}).build(in_channels=1)
    assert model.backbone(torch.rand(2, 1, 8, 8)).shape == (2, model.embedding_dim)


def test_a_distribution_that_is_not_installed_says_so() -> None:
    with pytest.raises(sslreg.UserError, match="no plugin of a distribution 'acme-missing' is installed"):
        conformance.of("acme-missing")


def test_a_component_is_a_test_for_each_check_of_its_kind() -> None:
    with temporary_components(loss={"under_test": RecordingLoss}) as catalog:
        distribution = catalog.get("loss", "under_test").distribution
        (mark,) = conformance.of(distribution).pytestmark
        assert len(mark.args[1]) == len(conformance.checks_of("loss"))
        (skipped,) = conformance.of(distribution, leave_out={"loss/*": "not today"}).pytestmark[0].args[1]
    assert skipped.marks[0].kwargs == {"reason": "not today"}


@pytest.mark.parametrize("kind", ["callback", "logger"])
def test_what_takes_part_in_a_run_is_tested_in_one(kind: str) -> None:
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger

    seen: list[str] = []

    class Watching(Callback):
        """Looks on."""

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            seen.append("end")

    class Noting(Logger):
        """Takes notes."""

        name, version = "noting", "0"

        def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
            seen.extend(metrics)

        def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None: ...

    with temporary_components(**{kind: {"under_test": {"callback": Watching, "logger": Noting}[kind]}}) as catalog:
        for check in conformance.checks_of(kind):
            check(case_of(catalog, kind))
    assert seen
