"""Tiny components and inputs, which complete a component under test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from sslreg.contracts import (
    IGNORED_PIXEL,
    Augmentation,
    Backbone,
    Batch,
    Dataset,
    Embeddings,
    Keys,
    LabeledPatches,
    Loss,
    Masks,
    MaskSampler,
    MemoryBank,
    Model,
    Params,
    PatchBackbone,
    SampleKeys,
    SegmentedImages,
    StepOutput,
)
from sslreg.spec.from_run import FromRun

#: The width of embeddings and features.
WIDTH = 8

#: The number of samples in a batch.
SAMPLES = 8

#: The height and width of the largest views and of other images.
IMAGE_SIZE = 16


class TinyBackbone(Backbone):
    """A backbone from images (N, C, H, W) of any size to features (N, 8)."""

    def __init__(self, in_channels: Annotated[int, FromRun("in_channels")] = 3) -> None:
        super().__init__()
        self.num_features = WIDTH
        self.convolution = nn.Conv2d(in_channels, WIDTH, 3, padding=1)
        self.normalization = nn.BatchNorm2d(WIDTH)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.normalization(self.convolution(images)).relu().mean(dim=(2, 3))
        return features


class TinyPatchBackbone(PatchBackbone):
    """A backbone of patches of 4x4 pixels, with a class token and one block of attention."""

    patch_size = 4
    token_features = WIDTH
    num_features = WIDTH
    has_class_token = True

    def __init__(self, in_channels: Annotated[int, FromRun("in_channels")] = 3) -> None:
        super().__init__()
        self.projection = nn.Conv2d(in_channels, WIDTH, self.patch_size, stride=self.patch_size)
        self.positions = nn.Linear(2, WIDTH)
        self.class_token = nn.Parameter(torch.ones(WIDTH))
        self.block = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)

    def tokens(
        self,
        images: Tensor,
        *,
        keep: Tensor | None = None,
        mask: Tensor | None = None,
        mask_token: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        rows, columns = self.grid(images)
        patches = self.projection(images).flatten(2).mT
        if mask is not None and mask_token is not None:
            patches = torch.where(mask.unsqueeze(-1), mask_token.to(patches.dtype), patches)
        patches = patches + self.positions(torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).to(patches))
        attended = None
        if keep is not None:
            patches = patches.gather(1, keep.clamp(min=0).unsqueeze(-1).expand(-1, -1, WIDTH))
            attended = nn.functional.pad(keep >= 0, (1, 0), value=True).unsqueeze(1)
        tokens = torch.cat([self.class_token.to(patches.dtype).expand(len(images), 1, -1), patches], dim=1)
        mixed = nn.functional.scaled_dot_product_attention(tokens, tokens, tokens, attn_mask=attended)
        tokens = self.norm(tokens + self.block(mixed))
        return tokens[:, :1], tokens[:, 1:]

    def parameters_by_depth(self) -> list[list[nn.Parameter]]:
        embeddings = [self.class_token, *self.projection.parameters(), *self.positions.parameters()]
        return [embeddings, list(self.block.parameters()), list(self.norm.parameters())]


class TinyModel(Model):
    """A model that compares two views of an image by its backbone."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.embedding_dim = backbone.num_features

    def training_step(self, batch: Batch, loss: Loss) -> StepOutput:
        first, second = (self.backbone(view) for view in batch.views)
        return StepOutput(loss(first, second), embeddings=first)


class RecordingLoss(Loss):
    """A loss that takes anything and records its inputs.

    The gradient of each view differs between its rows, as with a real loss.

    Args:
        takes: The form of input that it declares.

    Attributes:
        calls: The positional and keyword arguments of each call.
    """

    def __init__(self, takes: str = "pair") -> None:
        super().__init__()
        self.takes = takes  # type: ignore[misc]  # an attribute of the instance: it depends on the model
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def forward(self, *views: Any, targets: Any = None, **others: Any) -> Tensor:
        self.calls.append((views, {"targets": targets, **others}))
        terms = [
            (view * torch.linspace(1, 2, view.numel(), device=view.device).reshape(view.shape)).square().mean()
            for view in find_tensors(views)
            if view.is_floating_point()
        ]
        return torch.stack(terms).mean()


class TinyBank(MemoryBank):
    """A bank of the last 16 keys."""

    rows: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(16, WIDTH))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.staged: list[Tensor] = []

    def hold(self, dim: int) -> None:
        self.rows = torch.zeros(len(self.rows), dim)

    def negatives(self) -> Tensor:
        return self.rows[: int(self.count)]

    def nearest(self, queries: Tensor) -> Tensor:
        past, queries = self.negatives(), nn.functional.normalize(queries.detach(), dim=1)
        if not len(past):
            return queries
        return past[(queries.float() @ nn.functional.normalize(past, dim=1).T).argmax(dim=1)].to(queries)

    def enqueue(self, keys: Tensor) -> None:
        width = self.rows.shape[1]
        if keys.shape[1] != width:
            raise ValueError(f"the bank holds rows of {width} values, not {keys.shape[1]}")
        self.staged.append(keys.detach().clone())

    def commit(self) -> None:
        for key in (key for keys in self.staged for key in keys):
            self.rows[int(self.count) % len(self.rows)] = key
            self.count += 1
        self.staged.clear()

    def discard(self) -> None:
        self.staged.clear()


class TinyMaskSampler(MaskSampler):
    """A sampler that masks half of the patches of each image."""

    def sample(self, keys: Keys, grid: tuple[int, int]) -> Masks:
        patches = grid[0] * grid[1]
        if patches < 2:
            raise ValueError("an image needs at least two patches")
        context = keys.permutation(patches) < patches // 2
        return Masks(context, ~context[:, None])


class Darken(Augmentation):
    """An augmentation that multiplies each image by a random factor."""

    def draw(self, keys: Keys, shapes: Tensor) -> Params:
        return {"factor": keys.uniform(0.5, 1.0)}

    def apply(self, images: Tensor, params: Params) -> Tensor:
        return images * params["factor"].to(images.device)[:, None, None, None]


class Pictures(Dataset):
    """A data set of twelve images of random levels, 3x16x16, of four classes."""

    def __init__(self) -> None:
        self.classes = ["a", "b", "c", "d"]

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return make_pictures(1, IMAGE_SIZE, IMAGE_SIZE, seed=index)[0], index % 4


#: The component for a required slot, by kind.
TINY_COMPONENTS: dict[str, Callable[[], Any]] = {
    "backbone": TinyBackbone,
    "memory_bank": TinyBank,
    "mask_sampler": TinyMaskSampler,
    "augmentation": Darken,
    "dataset": Pictures,
}


def make_pictures(count: int, height: int = 20, width: int = 20, channels: int = 3, seed: int = 0) -> list[Tensor]:
    """Return images of random levels, uint8 (C, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    return list(torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator))


def make_batch(*roles: str, samples: int = SAMPLES, size: int = IMAGE_SIZE, channels: int = 3, seed: int = 0) -> Batch:
    """Return a batch of random views of samples of four classes. Each sample has a color, which its views share.

    Args:
        roles: the role of each view. Each role is a group. The views of all roles but the first have half the size.
        samples: the number of samples.
        size: the height and width of a view of the first role.
        channels: the number of channels.
        seed: batches with different seeds have different views.
    """
    generator = torch.Generator().manual_seed(seed)
    groups = tuple(list(dict.fromkeys(roles)).index(role) for role in roles)
    sizes = [size // 2 if group else size for group in groups]
    colors = torch.rand(samples, channels, 1, 1, generator=generator)
    return Batch(
        views=[(colors + torch.rand(samples, channels, side, side, generator=generator)) / 2 for side in sizes],
        targets=torch.arange(samples) % 4,
        indices=torch.arange(samples),
        groups=groups,
        roles=roles,
        sample_keys=SampleKeys.of_samples(seed, [0] * samples, range(samples)),
    )


def make_batch_for(model: Model, additional: int = 0, seed: int = 0) -> Batch:
    """Return a batch with the smallest number of views that a model takes, at least one.

    Args:
        model: the model.
        additional: the number of additional views of each role, as far as the model takes them.
        seed: batches with different seeds have different views.
    """
    roles: list[str] = []
    for role, (least, most) in (model.roles or {"": model.views}).items():
        count = least + additional
        roles += [role] * (count if most is None else min(count, most))
    return make_batch(*(roles or [next(iter(model.roles), "")]), seed=seed)


def reverse_roles(batch: Batch) -> Batch:
    """Return a batch as a spec would give it whose `views` have the opposite order of roles.

    Views of one role keep their order.
    """
    last = max(batch.groups)
    order = sorted(range(len(batch.views)), key=lambda number: -batch.groups[number])
    return replace(
        batch,
        views=[batch.views[number] for number in order],
        groups=tuple(last - batch.groups[number] for number in order),
        roles=tuple(batch.roles[number] for number in order),
    )


def make_embeddings(samples: int, *, classes: int = 4, width: int = WIDTH, seed: int = 0) -> Embeddings:
    """Return embeddings that lie around one direction for each class."""
    generator = torch.Generator().manual_seed(seed)
    centers = torch.nn.functional.one_hot(torch.arange(classes), width).float()
    targets = torch.arange(samples) % classes
    noise = torch.randn(samples, width, generator=generator)
    return Embeddings(
        features=centers[targets] + 0.3 * noise,
        targets=targets,
        indices=torch.arange(samples),
        names=[f"sample {number}" for number in range(samples)],
    )


def make_labeled_patches() -> LabeledPatches:
    """Return 64 patches of 8 images, whose features lie around one direction for each of four classes."""
    patches = make_embeddings(64)
    assert patches.targets is not None
    return LabeledPatches(patches.features, patches.targets, patches.indices // 8)


def make_segmented_images() -> list[SegmentedImages]:
    """Return two batches of two images of 4x4 patches, in the classes of `make_labeled_patches`.

    Each patch is a square of 2x2 pixels of one class; one pixel of each image is ignored.
    """
    batches = []
    for start in (0, 2):
        patches = make_embeddings(2 * 4 * 4, seed=1 + start)
        assert patches.targets is not None
        masks = patches.targets.view(2, 4, 4).repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
        masks[:, 0, 0] = IGNORED_PIXEL
        names = [f"image {number}" for number in (start, start + 1)]
        batches.append(
            SegmentedImages(patches.features.view(2, 4, 4, -1), masks, torch.arange(start, start + 2), names)
        )
    return batches


def find_tensors(value: Any) -> list[Tensor]:
    """Return all tensors in nested lists, tuples and mappings."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        return find_tensors(list(value.values()))
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in find_tensors(item)]
    return []
