"""Two processes against one: the same samples, views, losses, weights and bank. `ddp_worker.py` trained the pairs.

In double precision what remains of a difference is rounding, 1e-12 over a whole epoch. In single precision rounding
grows as soon as an activation crosses zero in one run and not in the other, so the curves are held to 1e-5 for the
first five steps only, and to 2 % after that.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import sslreg
from sslreg import Run
from sslreg.assembly import assemble
from sslreg.contracts import Batch
from sslreg.training.data_loader import build_training_loader

pytestmark = pytest.mark.slow  # for the start of the pair

ALONE = ["trainer.devices=1", "trainer.strategy=auto", "trainer.sync_batchnorm=false"]


def alone(pair: Path, name: str, folder: Path) -> Run:
    """The run of a pair, in this process by itself."""
    return sslreg.train(sslreg.load_spec(pair / name / "spec.resolved.yaml", ALONE), folder)


def losses(path: Path) -> Tensor:
    with (path / "metrics.csv").open(newline="") as file:
        return torch.tensor([float(row["loss"]) for row in csv.DictReader(file) if row["loss"]], dtype=torch.float64)


def seen(pair: Path, name: str) -> list[dict[str, Any]]:
    return [torch.load(pair / f"{name}-{rank}.pt", weights_only=False) for rank in range(2)]


def assert_same_state(got: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, rtol=0, atol=1e-12, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("name", ["simclr", "moco synced"])
def test_two_processes_train_what_one_does(pair: Path, tmp_path: Path, name: str) -> None:
    """SimCLR with gathered negatives, MoCo with a bank, both with the batch statistics of all processes."""
    run = alone(pair, name, tmp_path / "alone")
    assert_same_state(Run(pair / name).checkpoint()["state_dict"], run.checkpoint()["state_dict"])
    torch.testing.assert_close(losses(pair / name), losses(run.path), rtol=1e-6, atol=0)


def test_in_single_precision_the_curves_part_by_rounding_alone(pair: Path, tmp_path: Path) -> None:
    one, two = losses(alone(pair, "simclr single", tmp_path / "alone").path), losses(pair / "simclr single")
    assert len(one) == len(two) == 1348 // 64 + (1348 % 64 == 0)
    torch.testing.assert_close(two[:5], one[:5], rtol=1e-5, atol=0)
    torch.testing.assert_close(two, one, rtol=0.02, atol=0)


def test_shuffled_batch_norm_is_the_one_of_the_paper(pair: Path) -> None:
    """MoCo as its algorithm 1 has it, written down without the model, the loss, the bank or the trainer.

    Each process normalizes its own half of the queries, and half of the keys in an order that both share.
    """
    spec = sslreg.load_spec(pair / "moco" / "spec.resolved.yaml")
    pipeline = assemble(spec, world_size=1)
    model = pipeline.model.double()
    query = torch.nn.Sequential(model.backbone, model.projection)
    key = torch.nn.Sequential(model.key_backbone, model.key_projection)
    optimizer = pipeline.build_optimizer()
    bank = torch.zeros(0, 16, dtype=torch.float64)
    torch.manual_seed(spec.seed)  # the main process's generator, from which the shuffles are drawn
    curve = []
    for batch in build_training_loader(pipeline, rank=0, world_size=1, device=torch.device("cpu")):
        assert isinstance(batch, Batch)
        a, b = (view.double() for view in batch.views)
        queries = torch.cat([query(half) for half in a.chunk(2)])
        order = torch.randperm(len(b))
        with torch.no_grad():
            shuffled = torch.cat([key(half) for half in b[order].chunk(2)])
            keys = torch.nn.functional.normalize(shuffled[order.argsort()])
        queries = torch.nn.functional.normalize(queries)
        logits = torch.cat([(queries * keys).sum(1, keepdim=True), queries @ bank.T], dim=1) / 0.5
        loss = torch.nn.functional.cross_entropy(logits, torch.zeros(len(b), dtype=torch.int64))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(key.parameters(), query.parameters(), strict=True):
                slow.mul_(0.9).add_(fast, alpha=0.1)
        bank = torch.cat([bank, keys])[-200:]
        curve.append(loss.item())

    state = Run(pair / "moco").checkpoint()["state_dict"]
    torch.testing.assert_close(losses(pair / "moco"), torch.tensor(curve, dtype=torch.float64), rtol=1e-6, atol=0)
    for name, value in model.named_parameters():
        torch.testing.assert_close(state[f"model.{name}"], value.data, rtol=0, atol=1e-12)
    # The bank is a ring: 21 batches of 64 have gone round it.
    ring = torch.roll(bank, 21 * 64 % 200, dims=0)
    torch.testing.assert_close(state["loss.memory_bank.rows"], ring, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["simclr", "moco synced", "moco", "noisy", "noisy cut at 30"])
def test_parameters_and_bank_are_the_same_bit_for_bit_in_every_process(pair: Path, name: str) -> None:
    first, second = (witness["state"] for witness in seen(pair, name))
    # Each process's own running statistics differ; the main one's are in the checkpoint.
    compared = [key for key in first if "running" not in key]
    assert [key for key in compared if not torch.equal(first[key], second[key])] == []
    assert name == "simclr" or "loss.memory_bank.rows" in compared


def test_the_views_of_a_sample_are_the_same_and_each_sample_comes_once(pair: Path) -> None:
    spec = sslreg.load_spec(pair / "simclr" / "spec.resolved.yaml")
    expected: dict[tuple[int, int], Tensor] = {}
    for batch in build_training_loader(assemble(spec), rank=0, world_size=1, device=torch.device("cpu")):
        assert isinstance(batch, Batch)
        expected |= {(0, index): view for index, view in zip(batch.indices.tolist(), batch.views[0], strict=True)}
    first, second = (witness["views"] for witness in seen(pair, "simclr single"))
    assert not first.keys() & second.keys()
    assert (first | second).keys() == expected.keys()
    assert all(torch.equal(view, expected[key]) for key, view in (first | second).items())


def test_what_any_rank_skips_is_counted_and_listed(pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pair)  # the images are named from there
    one, two = alone(pair, "broken", tmp_path / "alone"), Run(pair / "broken")
    assert one.summary["skipped_samples"] == two.summary["skipped_samples"]
    assert skipped(one.path) == skipped(two.path) == ["03.png", "09.png", "14.png"]


def skipped(path: Path) -> list[str]:
    with (path / "skipped.csv").open(newline="") as file:
        return sorted(row["name"] for row in csv.DictReader(file))
