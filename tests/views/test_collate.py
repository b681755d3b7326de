import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import FakeData

import sslreg
from sslreg import Batch, Collate, DeferredBatch, Operation, Sample, ViewPlan
from sslreg.views import Skipped


class Fade(sslreg.Augmentation):
    def draw(self, keys: sslreg.Keys, shapes: Tensor) -> sslreg.Params:
        return {"factor": keys.uniform(0.5, 1.0)}

    def apply(self, images: Tensor, params: sslreg.Params) -> Tensor:
        return images * params["factor"][:, None, None, None]


FADE = ViewPlan([Operation("fade", Fade())])
IMAGES = np.random.default_rng(0).integers(1, 256, (8, 3, 6, 5), dtype=np.uint8)


def samples(epoch: int = 0) -> list[Sample]:
    return [Sample(image, n % 3, n, epoch) for n, image in enumerate(IMAGES)]


class Mirroring(Collate):
    """A custom collate, which mirrors images and adds to the batch."""

    def load(self, sample: Sample) -> Tensor:
        return super().load(sample).flip(-1)

    def extras(self, samples: list[Sample]) -> dict[str, Any]:
        return {"even": torch.tensor([n % 2 == 0 for n, _ in enumerate(samples)])}


def test_a_batch_holds_views_targets_and_indices() -> None:
    batch = Collate([FADE, ViewPlan(FADE.operations, group=1, role="local")])(samples())
    assert isinstance(batch, Batch)
    assert [view.shape for view in batch.views] == [(8, 3, 6, 5)] * 2
    assert not torch.equal(*batch.views)
    assert batch.targets is not None
    assert batch.targets.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert batch.indices.tolist() == list(range(8))
    assert batch.groups == (0, 1)
    assert batch.roles == ("", "local")
    assert batch.params is None


def test_seed_and_epoch_change_the_views() -> None:
    views = [Collate([FADE], seed=seed)(samples(epoch)).views[0] for seed, epoch in ((0, 0), (1, 0), (0, 1), (0, 0))]
    assert torch.equal(views[0], views[3])
    assert not torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])


@pytest.mark.parametrize("item", [(IMAGES[0], 4), [IMAGES[0], np.int64(4)], (IMAGES[0], torch.tensor(4))])
def test_pairs_are_taken(item: Any) -> None:
    batch = Collate([FADE])([item])
    assert batch.targets.tolist() == [4]
    assert batch.indices.tolist() == [-1]


def test_bare_images_are_taken_and_have_no_targets() -> None:
    assert Collate([FADE])([IMAGES[0], Image.new("RGB", (5, 6))]).targets is None


def test_samples_without_an_index_are_drawn_from_torchs_generator() -> None:
    collate, bare = Collate([FADE]), [sample.image for sample in samples()]
    torch.manual_seed(0)
    first, second = collate(bare).views[0], collate(bare).views[0]
    torch.manual_seed(0)
    assert torch.equal(collate(bare).views[0], first)
    assert not torch.equal(first, second)
    mixed = collate([samples()[0], *bare[1:]]).views[0]
    assert torch.equal(mixed[0], collate(samples()).views[0][0])


def masks(batch: Batch | DeferredBatch, name: str = "mask") -> Tensor:
    made = batch if isinstance(batch, Batch) else batch.finish("cpu")
    return made.keys(name).bernoulli(0.5, (64,))


def test_keys_depend_on_seed_epoch_sample_and_name_alone() -> None:
    collate = Collate([FADE], seed=1)
    whole = masks(collate(samples()))

    order = [5, 2, 7]
    assert torch.equal(masks(collate([samples()[n] for n in order])), whole[order])
    assert torch.equal(masks(Collate([FADE, FADE], seed=1)(samples())), whole)
    others = [
        masks(collate(samples()), "other"),
        masks(collate(samples(epoch=1))),
        masks(Collate([FADE], seed=2)(samples())),
    ]
    assert all((other == whole).float().mean() < 0.65 for other in others)


def test_keys_differ_from_those_of_views() -> None:
    batch = Collate([FADE], keep_params=True)(samples())

    drawn = [batch.keys(name).uniform(0.5, 1.0) for name in ("view 0", "fade 0", "fade", "")]
    assert not any(torch.isin(batch.params[0]["fade"]["factor"], values).any() for values in drawn)


@pytest.mark.parametrize("workers", [0, 1])
def test_keys_survive_workers_and_deferred_batches(workers: int) -> None:
    loader = DataLoader(samples(), batch_size=4, num_workers=workers, collate_fn=Collate([FADE], device="cpu"))
    assert torch.equal(torch.cat([masks(batch) for batch in loader]), masks(Collate([FADE])(samples())))


def test_keys_of_samples_without_an_index_are_drawn_from_torchs_generator() -> None:
    collate, bare = Collate([FADE]), [sample.image for sample in samples()]
    torch.manual_seed(0)
    first, second = masks(collate(bare)), masks(collate(bare))
    torch.manual_seed(0)
    assert torch.equal(masks(collate(bare)), first)
    assert not torch.equal(first, second)


def test_an_image_that_replaces_another_has_the_keys_of_its_place() -> None:
    broken = [Sample(b"torn", None, 0, 0), *samples()[1:]]
    assert torch.equal(masks(Collate([FADE], on_error="skip")(broken)), masks(Collate([FADE])(samples())))


def test_params_tell_what_was_drawn() -> None:
    plan = ViewPlan([*FADE.operations, *FADE.operations])
    batch = Collate([plan], keep_params=True)(samples())
    assert list(batch.params[0]) == ["fade", "fade[1]"]
    factors = batch.params[0]["fade"]["factor"] * batch.params[0]["fade[1]"]["factor"]
    assert torch.allclose(batch.views[0][:, 0, 0, 0], factors * torch.from_numpy(IMAGES[:, 0, 0, 0].copy()) / 255)


def test_a_custom_collate_loads_and_adds() -> None:
    batch = Mirroring([ViewPlan([])])(samples())
    assert np.array_equal((batch.views[0] * 255).round(), IMAGES[..., ::-1])
    assert batch.extras["even"].tolist() == [True, False] * 4


def test_it_works_in_a_plain_data_loader_over_a_torchvision_data_set() -> None:
    data = FakeData(6, (3, 8, 8), num_classes=2)
    batches = list(DataLoader(data, batch_size=3, collate_fn=Collate([FADE, FADE])))
    assert [len(batch) for batch in batches] == [3, 3]
    assert batches[0].views[1].shape == (3, 3, 8, 8)


def test_it_survives_spawned_workers() -> None:
    collate = Collate([FADE, FADE], device="cpu")
    loader = DataLoader(samples(), batch_size=4, collate_fn=collate, num_workers=1, multiprocessing_context="spawn")  # type: ignore[arg-type, var-annotated]
    here = Collate([FADE, FADE])(samples())
    assert torch.equal(torch.cat([batch.finish("cpu").views[1] for batch in loader]), here.views[1])


def test_a_call_leaves_it_as_it_was() -> None:
    collate = Collate([FADE])
    before = pickle.dumps(collate)
    collate(samples())
    assert pickle.dumps(collate) == before


def test_a_pending_batch_is_finished_later_to_the_same() -> None:
    collate = Collate([FADE], device="cpu", keep_params=True)
    pending = collate(samples())
    assert isinstance(pending, DeferredBatch)
    assert len(pending) == 8
    assert pending.views[0].images.dtype == torch.uint8
    batch = pickle.loads(pickle.dumps(pending)).finish("cpu")
    here = Collate([FADE], keep_params=True)(samples())
    assert torch.equal(batch.views[0], here.views[0])
    assert torch.equal(batch.params[0]["fade"]["factor"], here.params[0]["fade"]["factor"])
    assert torch.equal(batch.targets, here.targets)


def broken() -> list[Sample]:
    return [Sample(b"broken", 5, 100, 0), *samples()[:2], Sample(Path("/absent.png"), 5, 101, 0)]


def test_a_broken_image_stops_by_default() -> None:
    with pytest.raises(sslreg.UserError, match="cannot be read"):
        Collate([FADE])(broken())


def test_a_broken_image_is_replaced_and_listed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="sslreg"):
        batch = Collate([FADE], on_error="skip")(broken())
    assert batch.indices.tolist() == [0, 0, 1, 0]
    assert batch.targets.tolist() == [0, 0, 1, 0]
    assert [one.index for one in batch.extras["skipped"]] == [100, 101]
    assert isinstance(batch.extras["skipped"][1], Skipped)
    assert "absent.png" in batch.extras["skipped"][1].reason
    assert "absent.png" in caplog.text
    # The stand-in is augmented in its own way, so that a batch holds no image twice.
    assert not torch.equal(batch.views[0][0], batch.views[0][1])
    assert torch.equal(batch.views[0][1:3], Collate([FADE])(samples()[:2]).views[0])


def test_a_batch_without_a_readable_image_stops_even_when_skipping() -> None:
    with pytest.raises(sslreg.UserError, match="no image of a batch of 1 can be read"):
        Collate([FADE], on_error="skip")(broken()[:1])


def test_images_of_several_depths_make_one_batch() -> None:
    deep = (IMAGES[0].astype(np.uint16) * 257).astype(np.uint16)
    batch = Collate([ViewPlan([])])([IMAGES[0], deep])
    assert torch.allclose(batch.views[0][0], batch.views[0][1])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ((IMAGES[0], 1, 2), "tuple of 3"),
        ((IMAGES[0], "cat"), "str, neither a class number nor a mask"),
        ((IMAGES[0], [1, 2]), "list, neither a class number nor a mask"),
        (object(), "object is not an image"),
        (IMAGES[0, :2], "2 channels, and 3"),
    ],
)
def test_what_is_no_sample_is_refused(item: Any, message: str) -> None:
    with pytest.raises(sslreg.UserError, match=message):
        Collate([FADE], channels=3)([item])


def test_views_of_one_plan_draw_what_they_draw_by_themselves() -> None:
    twin, other = ViewPlan(FADE.operations), ViewPlan([*FADE.operations, Operation("fade", Fade())])
    together, apart = (Collate(plans)(samples()).views for plans in ([FADE, other, FADE], [FADE, other, twin]))
    assert not torch.equal(together[0], together[2])
    assert all(torch.equal(one, same) for one, same in zip(together, apart, strict=True))
