"""The same samples give the same views, whatever the pipeline and however the work is divided."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor
from torch.utils.data import DataLoader

import sslreg
from sslreg import Batch, Collate, DeferredBatch, Operation, Sample, ViewPlan, WithProbability
from sslreg.registry import installed

GEOMETRY: list[tuple[str, dict[str, Any]]] = [
    ("horizontal_flip", {}),
    ("vertical_flip", {}),
    ("rotate90", {}),
    ("affine", {"degrees": 20.0, "translate": (0.1, 0.1), "interpolation": "bilinear"}),
    ("elastic", {"alpha": 15.0, "sigma": 2.0}),
    ("resize", {"size": 18}),
]
SIZING: list[tuple[str, dict[str, Any]]] = [
    ("random_resized_crop", {"size": 16}),
    ("random_resized_crop", {"size": (12, 20), "scale": (0.3, 0.9)}),
    ("resize", {"size": (15, 15)}),
]
PHOTOMETRIC: list[tuple[str, dict[str, Any]]] = [
    ("color_jitter", {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}),
    ("grayscale", {}),
    ("solarize", {"threshold": 0.6}),
    ("gaussian_blur", {"sigma": (0.1, 2.0)}),
    ("gaussian_noise", {"std": 0.05}),
    ("normalize", {"stats": "imagenet"}),
    ("one_of", {"augment": ["grayscale", "solarize"]}),
    ("random_order", {"augment": ["gaussian_noise", "grayscale", "solarize"]}),
]


def build(name: str, **parameters: Any) -> Any:
    if "augment" in parameters:
        parameters["augment"] = [build(one) for one in parameters["augment"]]
    return installed().get("augmentation", name).load()(**parameters)


def operations(choices: list[tuple[str, dict[str, Any]]], p: float) -> list[Operation]:
    made = [(name, build(name, **parameters)) for name, parameters in choices]
    return [
        Operation(name, WithProbability(one, p) if name not in ("resize", "random_resized_crop") else one)
        for name, one in made
    ]


pipelines = st.builds(
    lambda before, sizing, after, rest, p: [
        *operations(before, p),
        *operations([sizing], p),
        # Turning some images but not others would leave two sizes.
        *operations([one for one in after if one[0] not in ("rotate90", "resize")], p),
        *operations(rest, p),
    ],
    st.lists(st.sampled_from(GEOMETRY), max_size=2),
    st.sampled_from(SIZING),
    st.lists(st.sampled_from(GEOMETRY), max_size=2),
    st.lists(st.sampled_from(PHOTOMETRIC), max_size=4),
    st.sampled_from([0.3, 0.8, 1.0]),
)


def samples(count: int = 9) -> list[Sample]:
    random = np.random.default_rng(0)
    sizes = [(20, 20), (33, 21), (20, 20), (17, 40)]
    images = [random.integers(0, 256, (3, *sizes[n % 4]), dtype=np.uint8) for n in range(count)]
    return [Sample(image, None, n, 3) for n, image in enumerate(images)]


SAMPLES = samples()


def views(collate: Collate, some: list[Sample]) -> list[Tensor]:
    batch = collate(some)
    batch = batch.finish("cpu") if isinstance(batch, DeferredBatch) else batch
    return batch.views


@settings(max_examples=30, deadline=None)
@given(pipelines, st.integers(1, 5), st.permutations(range(len(SAMPLES))), st.integers(0, 3))
def test_neither_batches_nor_their_order_nor_the_placement_change_a_pixel(
    pipeline: list[Operation], size: int, order: list[int], seed: int
) -> None:
    plans = [ViewPlan(pipeline), ViewPlan(pipeline, 1, "device")]
    whole = views(Collate(plans, seed=seed), SAMPLES)
    for device in (None, "cpu"):
        collate = Collate(plans, seed=seed, device=device)
        batches = [[SAMPLES[n] for n in order[start : start + size]] for start in range(0, len(order), size)]
        parts = [views(collate, batch) for batch in batches]
        for view in (0, 1):
            assert torch.equal(torch.cat([part[view] for part in parts]), whole[view][torch.tensor(order)])


@pytest.mark.parametrize("threads", [1, 2])
def test_neither_workers_nor_threads_change_a_pixel(threads: int) -> None:
    pipeline = [*operations([SIZING[0]], 1.0), *operations(PHOTOMETRIC[:6], 0.8)]
    collate, some = Collate([ViewPlan(pipeline)]), samples(12)
    whole = views(collate, some)[0]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        loader: DataLoader[Any] = DataLoader(some, batch_size=4, num_workers=2, collate_fn=collate)  # type: ignore[arg-type]
        batches: list[Batch] = list(loader)
        assert torch.equal(torch.cat([batch.views[0] for batch in batches]), whole)
        assert torch.equal(views(collate, some)[0], whole)
    finally:
        torch.set_num_threads(before)


def test_an_operation_that_is_added_leaves_the_draws_of_the_others_alone() -> None:
    few = [*operations([SIZING[0]], 1.0), *operations([PHOTOMETRIC[0], PHOTOMETRIC[3]], 0.8)]
    more = [*operations([GEOMETRY[0], SIZING[0], GEOMETRY[3]], 1.0), *operations(PHOTOMETRIC[:4], 0.8)]

    def drawn(pipeline: list[Operation]) -> dict[str, sslreg.Params]:
        batch = Collate([ViewPlan(pipeline)], keep_params=True)(SAMPLES)
        assert isinstance(batch, Batch)
        assert batch.params is not None
        return batch.params[0]

    with_few, with_more = drawn(few), drawn(more)
    for name, params in with_few.items():
        for parameter, values in params.items():
            assert torch.equal(values, with_more[name][parameter])
