import copy
import os
import pickle
from collections.abc import Iterator
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

import sslreg
from sslreg import Collate, Operation, Sample, ViewPlan
from sslreg.views import shared_memory

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs memfd_create")

SHAPE = (2, 3, 4)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """This process as a worker at the last stage of a view: its blocks."""
    blocks: list[Any] = []
    monkeypatch.setattr(shared_memory, "get_worker_info", lambda: object())
    monkeypatch.setattr(shared_memory, "_blocks", blocks)
    with shared_memory.share_results(True):
        yield blocks
    for block in blocks:
        block.close()


def send(tensor: Tensor) -> Tensor:
    """Send a tensor through a worker's queue."""
    received: Tensor = pickle.loads(ForkingPickler.dumps(tensor))
    return received


class Fill(sslreg.Augmentation):
    """Fills each image with a random level."""

    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"level": keys.uniform()}

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        result = sslreg.empty_result(images.shape)
        return result.copy_(params["level"][:, None, None, None].expand(images.shape))


def test_the_receiver_shares_the_memory(worker: list[Any]) -> None:
    view = shared_memory.empty_result(SHAPE)
    view.fill_(1.0)
    received = send(view)
    assert type(received) is Tensor
    assert received.shape == SHAPE
    view.fill_(2.0)
    assert (received == 2.0).all()


def test_released_memory_is_reused(worker: list[Any]) -> None:
    for number in range(5):
        received = send(shared_memory.empty_result(SHAPE).fill_(number))
        assert (received == number).all()
        del received
    assert len(worker) == 1


def test_memory_of_a_kept_view_is_not_reused(worker: list[Any]) -> None:
    kept = [send(shared_memory.empty_result(SHAPE).fill_(number)) for number in range(5)]
    assert [float(view[0, 0, 0]) for view in kept] == [0, 1, 2, 3, 4]
    # A part of it, and what NumPy sees, keep the whole.
    part, array = kept[0][1], kept[1].numpy()
    del kept
    for _ in range(10):
        send(shared_memory.empty_result(SHAPE).fill_(9.0))
    assert (part == 0).all()
    assert (array == 1).all()


def test_memory_of_a_view_that_the_worker_keeps_is_not_reused(worker: list[Any]) -> None:
    part = shared_memory.empty_result(SHAPE).fill_(1.0)[0]
    shared_memory.empty_result(SHAPE).fill_(2.0)
    assert (part == 1).all()


def test_memory_of_a_view_that_was_not_sent_is_free(worker: list[Any]) -> None:
    for _ in range(3):
        shared_memory.empty_result(SHAPE)
    assert len(worker) == 1


def test_views_are_copied_if_every_block_is_kept(worker: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_memory, "_MAX_BLOCKS", 2)
    kept = [send(shared_memory.empty_result(SHAPE).fill_(number)) for number in range(4)]
    assert [float(view[0, 0, 0]) for view in kept] == [0, 1, 2, 3]
    assert len(worker) == 2
    del kept
    assert shared_memory.empty_result((5,)).shape == (5,)  # in the place of one of another size
    assert [block.size for block in worker] == [96, 20]


def test_sending_twice_or_copying_gives_separate_tensors(worker: list[Any]) -> None:
    view = shared_memory.empty_result(SHAPE).fill_(1.0)
    copies = [pickle.loads(pickle.dumps(view)), copy.deepcopy(view), send(view), send(view)]
    view.fill_(2.0)
    assert [float(one[0, 0, 0]) for one in copies] == [1, 1, 2, 1]
    assert type(view * 1) is Tensor


def test_outside_of_a_worker_and_before_the_last_stage_memory_is_not_shared(worker: list[Any]) -> None:
    with shared_memory.share_results(False):
        assert type(shared_memory.empty_result(SHAPE)) is Tensor
    assert not worker


def test_workers_send_the_same_views_as_this_process_makes() -> None:
    collate = Collate([ViewPlan([Operation("fill", Fill())])] * 2)
    image = np.zeros((1, 4, 4), dtype=np.uint8)
    samples = [Sample(image, None, n, 0) for n in range(48)]
    loader: Any = DataLoader(samples, batch_size=2, collate_fn=collate, num_workers=1)  # type: ignore[arg-type]
    kept = []
    for number, batch in enumerate(loader):
        here = collate(samples[2 * number : 2 * number + 2])
        assert all(torch.equal(*pair) for pair in zip(batch.views, here.views, strict=True))
        if number % 3 == 0:
            kept.append((batch.views[0], here.views[0]))
    assert all(torch.equal(*pair) for pair in kept)
