"""Every batch is begun one step early, and nothing else is different."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import sslreg
from sslreg import Collate, Operation, Sample, ViewPlan
from sslreg.testing.parts import pictures
from sslreg.training.ahead import LoaderAhead, one_ahead


@given(st.lists(st.integers()))
def test_items_come_in_order_each_begun_one_turn_early(items: list[int]) -> None:
    begun: list[int] = []

    def begin(item: int) -> int:
        begun.append(item)
        return item

    for number, item in enumerate(one_ahead(items, begin)):
        assert item == items[number]
        assert begun == items[: number + 2]
    assert begun == items


@pytest.mark.parametrize("broken", [0, 1, 3])
def test_an_error_is_raised_at_the_turn_of_its_item(broken: int) -> None:
    def items() -> Iterator[int]:
        for number in range(4):
            if number == broken:
                raise RuntimeError("a worker died")
            yield number

    came: list[int] = []
    with pytest.raises(RuntimeError, match="a worker died"):
        came.extend(one_ahead(items(), lambda item: item))
    assert came == list(range(broken))


def test_an_error_of_beginning_is_raised_at_the_turn_of_its_item() -> None:
    def begin(item: int) -> float:
        return 1 / item

    turns = one_ahead([1, 2, 0, 3], begin)
    assert [next(turns), next(turns)] == [1.0, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(turns)
    assert list(turns) == []


def test_what_stops_a_run_at_once_does_not_wait_for_a_turn() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(one_ahead(items(), lambda item: item))


class Faint(sslreg.Augmentation):
    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"factor": keys.uniform()}

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images * params["factor"][:, None, None, None]


class Numbered(Dataset[Sample]):
    """Pictures, one of which may be broken."""

    def __init__(self, broken: int | None = None) -> None:
        self.images: list[Any] = list(pictures(10))
        if broken is not None:
            self.images[broken] = b"broken"

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        return Sample(self.images[index], None, index, 0)


def loader(kind: type[DataLoader[Any]], data: Numbered, **more: Any) -> DataLoader[Any]:
    collate = Collate([ViewPlan([Operation("faint", Faint())])], device="cpu")
    return kind(data, batch_size=2, num_workers=1, persistent_workers=True, collate_fn=collate, **more)


def test_every_pass_has_the_batches_of_a_plain_loader() -> None:
    ahead = loader(LoaderAhead, Numbered(), device=torch.device("cpu"))
    for _ in range(2):
        made = [batch.arrive() for batch in ahead]
        plain = [batch.finish("cpu") for batch in loader(DataLoader, Numbered())]
        assert [batch.indices.tolist() for batch in made] == [[n, n + 1] for n in range(0, 10, 2)]
        assert all(torch.equal(one.views[0], other.views[0]) for one, other in zip(made, plain, strict=True))


def test_a_pass_may_be_left_and_begun_again() -> None:
    ahead = loader(LoaderAhead, Numbered(), device=torch.device("cpu"))
    assert len(ahead) == 5
    assert next(iter(ahead)).batch.indices.tolist() == [0, 1]
    assert [item.batch.indices.tolist()[0] for item in ahead] == [0, 2, 4, 6, 8]


def test_a_broken_image_stops_the_step_that_needs_it() -> None:
    items = iter(loader(LoaderAhead, Numbered(broken=5), device=torch.device("cpu")))
    assert [next(items).batch.indices.tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(sslreg.UserError, match="cannot be read"):
        next(items)
