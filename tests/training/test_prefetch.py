"""Every batch is started one step early, and nothing else changes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import sslreg
from sslreg import Collate, DeferredBatch, Operation, Sample, ViewPlan
from sslreg.assembly import Pipeline, assemble
from sslreg.errors import InterruptedRunError
from sslreg.spec import parse_spec
from sslreg.testing.tiny_components import make_pictures
from sslreg.training import data_loader, training_setup
from sslreg.training.prefetch import PrefetchingDataLoader, prefetch_one
from sslreg.training.step_times import StepTimes
from sslreg.views import BatchInFlight


@given(st.lists(st.integers()))
def test_items_come_in_order_each_started_one_turn_early(items: list[int]) -> None:
    started: list[int] = []

    def begin(item: int) -> int:
        started.append(item)
        return item

    for number, item in enumerate(prefetch_one(items, begin)):
        assert item == items[number]
        assert started == items[: number + 2]
    assert started == items


@pytest.mark.parametrize("broken", [0, 1, 3])
def test_an_error_is_raised_at_the_turn_of_its_item(broken: int) -> None:
    def items() -> Iterator[int]:
        for number in range(4):
            if number == broken:
                raise RuntimeError("a worker died")
            yield number

    came: list[int] = []
    with pytest.raises(RuntimeError, match="a worker died"):
        came.extend(prefetch_one(items(), lambda item: item))
    assert came == list(range(broken))


def test_an_error_of_beginning_is_raised_at_the_turn_of_its_item() -> None:
    def begin(item: int) -> float:
        return 1 / item

    turns = prefetch_one([1, 2, 0, 3], begin)
    assert [next(turns), next(turns)] == [1.0, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(turns)
    assert list(turns) == []


def test_what_stops_a_run_at_once_does_not_wait_for_a_turn() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(prefetch_one(items(), lambda item: item))


class Faint(sslreg.Augmentation):
    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"factor": keys.uniform()}

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images * params["factor"][:, None, None, None]


class Numbered(Dataset[Sample]):
    """Pictures, one of which may be broken."""

    def __init__(self, broken: int | None = None) -> None:
        self.images: list[Any] = list(make_pictures(10))
        if broken is not None:
            self.images[broken] = b"broken"

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Sample:
        return Sample(self.images[index], None, index, 0)


def loader(kind: type[DataLoader[Any]], samples: Numbered, **more: Any) -> DataLoader[Any]:
    collate = Collate([ViewPlan([Operation("faint", Faint())])], device="cpu")
    return kind(samples, batch_size=2, num_workers=1, persistent_workers=True, collate_fn=collate, **more)


def test_every_pass_has_the_batches_of_a_plain_loader() -> None:
    ahead = loader(PrefetchingDataLoader, Numbered(), device=torch.device("cpu"))
    for _ in range(2):
        made = [batch.wait() for batch in ahead]
        plain = [batch.finish("cpu") for batch in loader(DataLoader, Numbered())]
        assert [batch.indices.tolist() for batch in made] == [[n, n + 1] for n in range(0, 10, 2)]
        assert all(torch.equal(one.views[0], other.views[0]) for one, other in zip(made, plain, strict=True))


def test_a_pass_may_be_left_and_started_again() -> None:
    ahead = loader(PrefetchingDataLoader, Numbered(), device=torch.device("cpu"))
    assert len(ahead) == 5
    assert next(iter(ahead)).batch.indices.tolist() == [0, 1]
    assert [item.batch.indices.tolist()[0] for item in ahead] == [0, 2, 4, 6, 8]


def test_starting_a_batch_counts_as_transfer_and_not_as_waiting() -> None:
    times = StepTimes()
    assert len(list(loader(PrefetchingDataLoader, Numbered(), device=torch.device("cpu"), times=times))) == 5
    measured = times.clock.take()
    assert set(measured) == {"waiting", "transfer"}
    assert all(seconds > 0 for seconds in measured.values())


def test_a_broken_image_stops_the_step_that_needs_it() -> None:
    items = iter(loader(PrefetchingDataLoader, Numbered(broken=5), device=torch.device("cpu")))
    assert [next(items).batch.indices.tolist() for _ in range(2)] == [[0, 1], [2, 3]]
    with pytest.raises(sslreg.UserError, match="cannot be read"):
        next(items)


@pytest.fixture
def always_ahead(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make runs on the CPU load like runs on a GPU. The list counts the batches that are started."""
    here, begin = torch.device("cpu"), PrefetchingDataLoader._start
    started: list[int] = []

    def counted(self: PrefetchingDataLoader, item: DeferredBatch) -> BatchInFlight:
        assert isinstance(item, DeferredBatch)
        started.append(len(started))
        return begin(self, item)  # type: ignore[no-any-return]

    def assembled(spec: sslreg.Spec, world_size: int, device: None) -> Pipeline:
        return assemble(spec, world_size=world_size, device=here)

    monkeypatch.setattr(PrefetchingDataLoader, "_start", counted)
    monkeypatch.setattr(data_loader, "MeasuredDataLoader", partial(PrefetchingDataLoader, device=here))
    monkeypatch.setattr(training_setup, "assemble", assembled)
    return started


@pytest.mark.parametrize(("step", "workers"), [(9, 0), (20, 2)])
def test_a_run_that_is_ahead_stops_and_goes_on_as_any_other(
    tiny_spec: str,
    tmp_path: Path,
    moco: tuple[str, ...],
    undisturbed: Path,
    assert_same: Callable[[Path, Path], None],
    at_step: Callable[[int, Callable[[], None]], None],
    always_ahead: list[int],
    step: int,
    workers: int,
) -> None:
    at_step(step, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(InterruptedRunError):
        sslreg.train(parse_spec(tiny_spec, "tiny.yaml", [*moco, f"data.workers={workers}"]), tmp_path / "run")
    # One more than was trained on, but where an epoch ends.
    assert len(always_ahead) == min(step + 2, 21)
    run = sslreg.resume(tmp_path / "run")
    assert run.summary["resumed_at"] == [step + 1]
    assert_same(undisturbed, run.path)
