"""A batch that a device finishes is the same, and is made concurrently with other work."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

import sslreg
from sslreg import Batch, Collate, DeferredBatch, Operation, Sample, ViewPlan, WithProbability
from sslreg.testing.tiny_components import make_pictures


def operation(name: str, p: float = 1.0, **parameters: Any) -> Operation:
    one = sslreg.build("augmentation", name, **parameters)
    return Operation(name, WithProbability(one, p) if p < 1.0 else one)


SIMCLR = ViewPlan(
    [
        operation("random_resized_crop", size=32),
        operation("horizontal_flip", 0.5),
        operation("color_jitter", 0.8, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2),
        operation("grayscale", 0.2),
        operation("gaussian_blur", 0.5, sigma=(0.1, 2.0)),
        operation("normalize", mean=0.0, std=1.0),
    ]
)
#: With what runs one by one in torch: noise, a choice, an operation of torch's own.
MIXED = ViewPlan(
    [
        *SIMCLR.operations[:-1],
        operation("gaussian_noise", 0.5, std=0.05),
        Operation(
            "one_of", sslreg.build("augmentation", "one_of", augment=[sslreg.build("augmentation", "grayscale")])
        ),
        operation("affine", 0.5, degrees=10.0, interpolation="bilinear"),
    ]
)


class WithExtras(Collate):
    def extras(self, samples: list[Sample]) -> dict[str, Any]:
        return {"twice": torch.tensor([2 * (sample.index or 0) for sample in samples]), "said": "yes"}


def pending(plan: ViewPlan = SIMCLR, count: int = 16, first: int = 0) -> DeferredBatch:
    samples = [Sample(image, n % 3, first + n, 0) for n, image in enumerate(make_pictures(count, 40, 40))]
    made = WithExtras([plan, plan], device="cuda", keep_params=True)(samples)
    assert isinstance(made, DeferredBatch)
    return made


def test_starting_and_waiting_gives_the_finished_batch() -> None:
    begun, finished = pending().start("cpu").wait(), pending().finish("cpu")
    assert all(torch.equal(one, other) for one, other in zip(begun.views, finished.views, strict=True))
    assert torch.equal(begun.extras["twice"], finished.extras["twice"])
    assert begun.params is not None
    assert next(iter(begun.params[0])) == "random_resized_crop"


def keep_busy(cycles: int) -> None:
    """Occupy the current stream of the GPU; 2e9 cycles are about a second."""
    torch.cuda._sleep(cycles)  # type: ignore[no-untyped-call]


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Raise if the host waits for the GPU."""
    with warnings.catch_warnings():
        # That the mode is a prototype, and does not see everything.
        warnings.simplefilter("ignore")
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.gpu
@pytest.mark.parametrize("plan", [SIMCLR, MIXED])
def test_a_gpu_makes_the_views_that_the_host_makes(plan: ViewPlan) -> None:
    there, here = pending(plan).pin_memory().finish("cuda"), pending(plan).finish("cpu")
    for one, other in zip(there.views, here.views, strict=True):
        assert one.is_cuda
        torch.testing.assert_close(one.cpu(), other, rtol=0, atol=2 / 255)
    assert there.indices.is_cuda
    assert there.targets is not None
    assert there.targets.is_cuda
    assert there.extras["twice"].tolist() == here.extras["twice"].tolist()
    assert there.params is not None
    assert not there.params[0]["color_jitter"]["order"].is_cuda


@pytest.mark.gpu
@pytest.mark.usefixtures("no_waiting")
def test_nothing_waits_for_the_gpu() -> None:
    batch = pending().pin_memory()
    views = batch.finish("cuda").views
    assert sum(view.numel() for view in views) == 2 * 16 * 3 * 32 * 32


@pytest.mark.gpu
def test_on_a_gpu_a_view_does_not_depend_on_its_batch() -> None:
    whole = pending(count=16).finish("cuda").views[0]
    parts = [pending(count=4, first=0).finish("cuda").views[0], pending(count=7).finish("cuda").views[0]]
    for part in parts:
        assert torch.equal(part, whole[: len(part)])
    assert torch.equal(pending(count=16).finish("cuda").views[0], whole)


@pytest.mark.gpu
def test_a_batch_is_made_concurrently_with_other_work_of_the_gpu() -> None:
    pending().finish("cuda")  # compiles kernels
    torch.cuda.synchronize()
    ready = pending().pin_memory()
    keep_busy(2_000_000_000)
    busy = torch.cuda.current_stream()
    underway = ready.start("cuda")
    assert underway.ready is not None
    underway.ready.synchronize()
    assert not busy.query()
    torch.cuda.synchronize()
    assert torch.isfinite(underway.wait().views[0]).all()


@pytest.mark.gpu
def test_memory_of_batches_is_used_again_only_when_they_are_done_with() -> None:
    expected = [pending(first=first).finish("cpu").views[0].double().sum() for first in range(4)]
    ready = [pending(first=first).pin_memory() for first in range(4)]
    sums = []
    for turn in range(40):
        view = ready[turn % 4].finish("cuda").views[0]
        keep_busy(1_000_000)
        sums.append(view.double().sum())
        del view
    for turn, total in enumerate(sums):
        assert float(total) == pytest.approx(float(expected[turn % 4]), rel=1e-3)


@pytest.mark.gpu
def test_a_loader_that_pins_its_memory_pins_what_crosses_the_bus() -> None:
    samples = [Sample(image, None, n, 0) for n, image in enumerate(make_pictures(8, 40, 40))]
    collate = Collate([SIMCLR], device="cuda")
    (batch,) = DataLoader(samples, batch_size=8, collate_fn=collate, pin_memory=True)  # type: ignore[arg-type]
    images = batch.views[0].images
    assert isinstance(images, torch.Tensor)
    assert images.is_pinned()
    assert images.dtype == torch.uint8
    assert isinstance(batch.finish("cuda"), Batch)
