"""Batches without a readable image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sslreg import Sample, UserError
from sslreg.assembly import ReplaceUnreadable, SampleDataset, build_collate, unreadable_images
from sslreg.assembly.loader_workers import ErrorReturningCollate, WorkerError
from sslreg.spec import parse_spec
from sslreg.views import SKIPPED, DeferredBatch

IMAGES = list(np.random.default_rng(0).integers(0, 256, (10, 1, 10, 10), dtype=np.uint8))


def samples(*broken: int) -> SampleDataset:
    return SampleDataset([(b"torn" if number in broken else image, number) for number, image in enumerate(IMAGES)])


@pytest.fixture
def guarded(tiny_spec: str):
    def made(source: SampleDataset, on_error: str = "skip") -> ErrorReturningCollate:
        collate = build_collate(parse_spec(tiny_spec, "tiny.yaml", [f"data.on_error={on_error}"]))
        return ErrorReturningCollate(ReplaceUnreadable(collate, source))

    return made


def test_the_following_samples_replace_unreadable_ones(guarded) -> None:
    """Their views are sampled with the keys of the samples that they replace, which are listed."""
    source = samples(3, 4, 5, 9)
    batch = guarded(source)([source[2, 3], source[2, 9]])
    assert batch.indices.tolist() == batch.targets.tolist() == [0, 1]
    assert [one.index for one in batch.extras[SKIPPED]] == [3, 9]
    assert "cannot be read" in batch.extras[SKIPPED][0].reason
    same = guarded(samples())([Sample(IMAGES[0], 0, 3, 2), Sample(IMAGES[1], 1, 9, 2)])
    assert all(torch.equal(view, other) for view, other in zip(batch.views, same.views, strict=True))


def test_too_few_replacements_are_repeated(guarded) -> None:
    source = samples(*range(1, 10))
    batch = guarded(source)([source[0, 4], source[0, 5]])
    assert batch.indices.tolist() == [0, 0]
    assert not torch.equal(batch.views[0][0], batch.views[0][1])


def test_one_readable_image_replaces_the_others(guarded) -> None:
    source = samples(3)
    assert guarded(source)([source[0, 3], source[0, 7]]).indices.tolist() == [7, 7]


def test_deferred_batches_are_replaced_alike(tiny_spec: str) -> None:
    source = samples(3)
    spec = parse_spec(tiny_spec, "tiny.yaml", ["data.on_error=skip"])
    pending = ReplaceUnreadable(build_collate(spec, device="cpu"), source)([source[0, 3]])
    assert isinstance(pending, DeferredBatch)
    assert pending.finish("cpu").indices.tolist() == [4]


def test_lost_data_is_an_error(guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unreadable_images, "MAX_TRIED", 5)
    source = samples(*range(8))
    failure = guarded(source)([source[0, 1], source[0, 2]])
    assert isinstance(failure, WorkerError)
    assert failure.error is UserError
    assert "none of these 2 images" in failure.diagnostics[0].message
    assert "any of the 5 that follow" in failure.diagnostics[0].message


def test_nothing_is_replaced_if_errors_are_raised(guarded) -> None:
    source = samples(3)
    failure = guarded(source, "raise")([source[0, 3]])
    assert isinstance(failure, WorkerError)
    assert "cannot be read" in failure.diagnostics[0].message


def test_an_image_without_a_file_is_named_by_its_sample_and_data_set(guarded) -> None:
    pixels = [torch.full((1, 10, 10), torch.nan if number == 2 else 0.5) for number in range(4)]
    source = SampleDataset([(image, 0) for image in pixels], "dataset 'floats' of acme")
    result = guarded(source, "raise")([source[0, number] for number in range(4)])
    assert isinstance(result, WorkerError)
    assert (
        "dataset 'floats' of acme, sample 2: an image of type Tensor: its levels run" in result.diagnostics[0].message
    )
