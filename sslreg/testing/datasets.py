"""The contract of data sets; see `sslreg.Dataset`."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import torch

from sslreg.contracts import (
    IGNORED_PIXEL,
    SegmentationMask,
    as_sample,
    is_label_set,
    is_segmentation_mask,
    load_segmentation_mask,
)
from sslreg.images import load_image
from sslreg.testing.case import Case
from sslreg.testing.checks import check

#: How many of a data set's items are looked at.
ITEMS = 16


def items_of(dataset: Any) -> list[int]:
    """Indices all over the data set."""
    count = len(dataset)
    return sorted({int(position) for position in torch.linspace(0, count - 1, min(count, ITEMS)).tolist()})


@check("dataset")
def has_samples_that_can_be_read(case: Case) -> None:
    dataset = case.build()
    assert len(dataset) > 0
    for index in items_of(dataset):
        image = load_image(as_sample(dataset[index]).image)
        assert image.ndim == 3
        assert image.float().isfinite().all()


@check("dataset")
def has_targets_among_its_classes(case: Case) -> None:
    dataset = case.build()
    classes = getattr(dataset, "classes", None)
    numbers = {
        number for index in items_of(dataset) for number in _list_class_numbers(as_sample(dataset[index]).target)
    }
    if classes is None:
        return
    assert all(isinstance(name, str) for name in classes)
    assert all(0 <= number < len(classes) for number in numbers)


def _list_class_numbers(target: int | torch.Tensor | SegmentationMask | None) -> list[int]:
    if isinstance(target, int):
        return [target]
    if is_label_set(target):
        return [int(number) for number in target.nonzero()[:, 0]]
    if not is_segmentation_mask(target):
        return []
    values = torch.unique(load_segmentation_mask(target)).tolist()
    return [value for value in values if value != IGNORED_PIXEL]


@check("dataset")
def has_masks_of_the_size_of_images(case: Case) -> None:
    dataset = case.build()
    for index in items_of(dataset):
        sample = as_sample(dataset[index])
        if is_segmentation_mask(sample.target):
            mask, image = load_segmentation_mask(sample.target), load_image(sample.image)
            assert mask.shape == image.shape[1:], f"the mask of item {index} is {tuple(mask.shape)}"


@check("dataset")
def gives_the_same_item_again(case: Case) -> None:
    dataset = case.build()
    for index in items_of(dataset)[:4]:
        one, other = as_sample(dataset[index]), as_sample(dataset[index])
        assert torch.equal(load_image(one.image), load_image(other.image)), "augmenting is the views' business"
        if is_segmentation_mask(one.target) and is_segmentation_mask(other.target):
            assert torch.equal(load_segmentation_mask(one.target), load_segmentation_mask(other.target))
        else:
            assert _list_class_numbers(one.target) == _list_class_numbers(other.target)


@check("dataset")
def pickles(case: Case) -> None:
    dataset = case.build()
    again = pickle.loads(pickle.dumps(dataset))
    assert len(again) == len(dataset)
    for index in items_of(dataset)[:4]:
        assert torch.equal(load_image(as_sample(again[index]).image), load_image(as_sample(dataset[index]).image))


@check("dataset")
def orders_whole_batches(case: Case) -> None:
    dataset = case.build()
    if not hasattr(dataset, "order"):
        return
    orders = [dataset.order(torch.Generator().manual_seed(0), 2, 2) for _ in range(2)]
    if orders[0] is None:
        return
    assert torch.equal(*orders), "nothing but the generator may decide"
    samples = orders[0].tolist()
    assert len(samples) == len(set(samples)) == len(dataset) // 2 * 2
    assert set(samples) <= set(range(len(dataset)))
    every = dataset.order(torch.Generator().manual_seed(0), 1, 1)
    assert sorted(every.tolist()) == list(range(len(dataset))), "in batches of one sample, none is dropped"


@check("dataset")
def selects_samples(case: Case) -> None:
    dataset = case.build()
    rows = np.array(items_of(dataset)[1:] or [0])
    selected = dataset.select(rows) if hasattr(dataset, "select") else None
    if selected is None:
        return
    assert len(selected) == len(rows)
    assert len(dataset) > len(rows) or len(dataset) == 1, "select returns another data set and leaves this one as it is"
    for position, row in enumerate(rows.tolist()):
        assert (selected.name(position), selected.group(position)) == (dataset.name(row), dataset.group(row))
        one, other = as_sample(selected[position]), as_sample(dataset[row])
        assert torch.equal(load_image(one.image), load_image(other.image))
    order = selected.order(torch.Generator().manual_seed(0), 1, 1)
    assert order is None or sorted(order.tolist()) == list(range(len(rows)))


@check("dataset")
def knows_its_class_numbers(case: Case) -> None:
    dataset = case.build()
    targets = getattr(dataset, "targets", None)
    if targets is None:
        return
    assert len(targets) == len(dataset)
    for index in items_of(dataset):
        known = as_sample((None, targets[index])).target
        numbers = [_list_class_numbers(target) for target in (as_sample(dataset[index]).target, known)]
        assert numbers[0] == numbers[1], f"targets differ from the target of item {index}"


@check("dataset")
def groups_all_samples_or_none(case: Case) -> None:
    dataset = case.build()
    if hasattr(dataset, "group"):
        groups = [dataset.group(index) for index in items_of(dataset)]
        assert all(group is None for group in groups) or all(isinstance(group, str) for group in groups)


@check("dataset")
def names_its_samples(case: Case) -> None:
    dataset = case.build()
    if hasattr(dataset, "name"):
        assert all(isinstance(dataset.name(index), str) for index in items_of(dataset))
