"""Parts of a split and subsets: stable, whole groups, in expectation stratified, and the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sslreg
from sslreg.assembly import Builder, DatasetBuilder, SampleDataset, assemble, describe_missing_classes, describe_parts
from sslreg.assembly.data_split import choose_subset, divide, hash_texts
from sslreg.errors import UserError
from sslreg.spec import parse_spec

DIVIDED = ["data.train={use: digits, split: all}", "data.test=null"]


class Named(sslreg.Dataset):
    """A data set of names, with a class and a group by the last characters of the names."""

    def __init__(self, names: list[str], groups: bool = False, ordered: bool = False) -> None:
        self.names = names
        self.groups = groups
        self.ordered = ordered
        self.classes = [str(number) for number in range(10)]
        self.targets = np.array([int(name[-1]) for name in names])

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return np.full((1, 2, 2), index % 256, np.uint8), int(self.targets[index])

    def name(self, index: int) -> str:
        return self.names[index]

    def group(self, index: int) -> str | None:
        return self.names[index][-2:] if self.groups else None

    def order(self, generator: torch.Generator, batch_size: int, world_size: int) -> torch.Tensor | None:
        return torch.arange(len(self) // batch_size * batch_size).flip(0) if self.ordered else None


def named(count: int, **options: bool) -> SampleDataset:
    return SampleDataset(Named([f"image {number}" for number in range(count)], **options))


def names_of(samples: SampleDataset) -> list[str]:
    return [samples.name(index) for index in range(len(samples))]


def parts_of(samples: SampleDataset, seed: int = 0, **shares: float) -> dict[str, set[str]]:
    return {
        role: set(names_of(samples.select(rows)))
        for role, (rows, _) in divide(samples, shares, f"split {seed}").items()
    }


def test_hashes_do_not_change_between_versions() -> None:
    assert hash_texts(["a.png", "b.png"], "split 0").tolist() == HASHES


HASHES = [15535345643329268408, 8257209948112136174]


def test_parts_are_disjoint_complete_and_have_their_shares() -> None:
    parts = parts_of(named(4000), test=0.2, reference=0.1)
    assert sorted(set.union(*parts.values())) == sorted(names_of(named(4000)))
    assert sum(map(len, parts.values())) == 4000
    assert {role: round(len(names) / 4000, 2) for role, names in parts.items()} == pytest.approx(
        {"train": 0.7, "test": 0.2, "reference": 0.1}, abs=0.02
    )


def test_a_sample_stays_in_its_part_when_others_are_added() -> None:
    few, many = (parts_of(named(count), test=0.2) for count in (500, 1000))
    assert few["test"] == many["test"] & set(names_of(named(500)))
    # A reference set comes from the training set, and leaves the test set as it is.
    assert parts_of(named(500), test=0.2, reference=0.3)["test"] == few["test"]
    assert parts_of(named(500), seed=1, test=0.2) != few


def test_classes_have_their_shares_in_expectation() -> None:
    samples = named(4000)
    counts = samples.select(divide(samples, {"test": 0.25}, "split 0")["test"][0]).count_classes()
    assert counts is not None
    assert counts.tolist() == pytest.approx([100] * 10, abs=30)


def test_a_group_is_never_divided() -> None:
    samples = named(2000, groups=True)
    parts = parts_of(samples, test=0.3)
    groups = {role: {name[-2:] for name in names} for role, names in parts.items()}
    assert groups["train"].isdisjoint(groups["test"])
    assert len(groups["test"]) == pytest.approx(33, abs=15)


def test_a_subset_grows_and_keeps_its_samples() -> None:
    samples = named(300)
    small, large = (set(names_of(samples.select(*choose_subset(samples, count)))) for count in (20, 100))
    assert (len(small), len(large)) == (20, 100)
    assert small < large
    assert len(choose_subset(samples, 0.5)[0]) == pytest.approx(150, abs=30)
    with pytest.raises(ValueError, match="a subset of 301 samples is larger than the data set, which has 300"):
        choose_subset(samples, 301)


def test_a_part_keeps_names_targets_and_items_of_its_rows() -> None:
    samples = named(300, groups=True)
    part = samples.select(np.array([5, 70, 298])).select(np.array([1, 2]))
    assert names_of(part) == ["image 70", "image 298"]
    assert [part[index].target for index in range(2)] == [0, 8]
    assert [part[index].index for index in range(2)] == [0, 1]
    assert part.group(1) == "98"
    counts = part.count_classes()
    assert counts is not None
    assert np.flatnonzero(counts).tolist() == [0, 8]


def test_samples_without_a_label_are_not_counted() -> None:
    source = Named(["image 1", "image 1", "image 2"])
    source.targets[2] = -1
    counts = SampleDataset(source).count_classes()
    assert counts is not None
    assert counts.tolist() == [0, 2, 0, 0, 0, 0, 0, 0, 0, 0]


def test_an_order_is_kept_for_the_samples_of_a_part() -> None:
    rows = np.array([0, 3, 4, 9, 10])
    assert named(11, ordered=True).select(rows).order(torch.Generator(), 4, 2).tolist() == [4, 3, 2, 1, 0]
    order = named(11).select(rows).order(torch.Generator().manual_seed(0), 4, 2)
    assert sorted(order.tolist()) == [0, 1, 2, 3, 4]


def build(tiny_spec: str, *overrides: str) -> DatasetBuilder:
    datasets = DatasetBuilder(Builder(parse_spec(tiny_spec, "tiny.yaml", overrides)))
    datasets.build("train")
    return datasets


def test_a_spec_divides_its_training_set(tiny_spec: str) -> None:
    datasets = build(tiny_spec, *DIVIDED, "data.split={test: 0.2, reference: 0.1}")
    test = datasets.build("test")
    assert set(datasets.built) == {"train", "test", "reference"}
    assert test.source is datasets.build("train").source
    assert sum(map(len, datasets.built.values())) == 1797
    assert describe_parts(datasets.built) == "train 1,252 samples, test 357, reference 188"


def test_a_subset_is_taken_before_the_split(tiny_spec: str) -> None:
    datasets = build(tiny_spec, *DIVIDED, "data.train.subset=100", "data.split={test: 0.2}")
    assert sum(map(len, datasets.built.values())) == 100
    assert len(build(tiny_spec, "data.train.subset=100").build("train")) == 100


def test_classes_that_a_part_lacks_are_named(tiny_spec: str) -> None:
    datasets = build(tiny_spec, *DIVIDED, "data.train.subset=30", "data.split={test: 0.2}")
    (warning,) = describe_missing_classes(datasets.built)
    assert warning.startswith("5 of 10 classes have no sample in the part test: ")
    assert describe_missing_classes(build(tiny_spec, *DIVIDED, "data.split={test: 0.2}").built) == []


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.split={test: 0.2}"], "data.test is a data set and also a part of data.split"),
        ([*DIVIDED, "data.split={test: 0.6, reference: 0.4}"], "data.split leaves nothing to train on"),
        ([*DIVIDED, "data.split={}"], "data.split names no share"),
        ([*DIVIDED, "data.split={test: 1}"], "test is 1; it should be less than 1"),
        ([*DIVIDED, "data.split={test: 0.00001}"], "of 1797 samples of data.train, none is in the part test"),
        (["data.train.subset=5000"], "a subset of 5000 samples is larger than the data set, which has 1348"),
        (["data.train.subset=1.5"], "subset is 1.5; it should be"),
    ],
)
def test_what_cannot_be_meant_is_refused(tiny_spec: str, overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(tiny_spec, *overrides)


def test_a_missing_group_is_an_error() -> None:
    class Partly(Named):
        def group(self, index: int) -> str | None:
            return None if index == 3 else "a"

    with pytest.raises(UserError, match="the sample image 3 has no group, but others have one"):
        divide(SampleDataset(Partly([f"image {number}" for number in range(5)])), {"test": 0.5}, "split 0")


def test_a_run_trains_on_one_part_and_is_evaluated_on_another(tiny_spec: str, tmp_path: Path) -> None:
    spec = parse_spec(tiny_spec, "tiny.yaml", [*DIVIDED, "data.split={test: 0.2}", "trainer.max_epochs=1"])
    pipeline = assemble(spec)
    assert pipeline.reference is pipeline.train
    assert pipeline.test is not None
    assert {len(pipeline.train), len(pipeline.test)} == {1797 - 357, 357}
    facts: dict[str, Any] = pipeline.facts
    assert facts["num_samples"] == 1797 - 357


def test_the_data_sets_of_a_spec_by_their_roles(tiny_spec: str) -> None:
    whole = sslreg.build_datasets(parse_spec(tiny_spec, "tiny.yaml", ["data.test=null"]))
    assert set(whole) == {"train"}
    parts = sslreg.build_datasets(parse_spec(tiny_spec, "tiny.yaml", [*DIVIDED, "data.split={test: 0.25}"]))
    assert set(parts) == {"train", "test"}
    assert len(parts["train"]) + len(parts["test"]) == 1797


def test_a_validation_part_replaces_the_test_set(tiny_spec: str) -> None:
    whole = build(tiny_spec, "data.reference={use: digits, split: train}")
    reference = set(names_of(whole.build("reference")))
    held_out = build(tiny_spec, "data.reference={use: digits, split: train}", "data.validation=0.3")
    parts = {role: set(names_of(held_out.build(role))) for role in ("reference", "test")}
    assert parts["reference"] | parts["test"] == reference
    assert not parts["reference"] & parts["test"]
    assert len(parts["test"]) / len(reference) == pytest.approx(0.3, abs=0.04)
    assert names_of(held_out.build("train")) == names_of(whole.build("train"))


def test_a_validation_part_of_the_training_set_is_trained_on(tiny_spec: str) -> None:
    datasets = build(tiny_spec, "data.validation=0.3")
    train, test = (set(names_of(datasets.build(role))) for role in ("train", "test"))
    assert test < train
    assert test.isdisjoint(names_of(datasets.build("reference")))


def test_a_validation_part_of_a_part_leaves_the_others_alone(tiny_spec: str) -> None:
    whole = build(tiny_spec, *DIVIDED, "data.split={test: 0.2, reference: 0.4}")
    held_out = build(tiny_spec, *DIVIDED, "data.split={test: 0.2, reference: 0.4}", "data.validation=0.5")
    parts = [set(names_of(held_out.build(role))) for role in ("reference", "test")]
    assert set.union(*parts) == set(names_of(whole.build("reference")))
    assert all(len(part) / len(whole.build("reference")) == pytest.approx(0.5, abs=0.06) for part in parts)
    assert names_of(held_out.build("train")) == names_of(whole.build("train"))


def test_a_group_is_not_divided_by_validation() -> None:
    parts = divide(named(2000, groups=True), {"test": 0.3}, "validation")
    samples = named(2000, groups=True)
    groups = [{samples.group(int(row)) for row in rows} for rows, _ in parts.values()]
    assert set.isdisjoint(*groups)


def test_metrics_of_different_validation_parts_are_not_compared(tiny_spec: str) -> None:
    described = [
        parse_spec(tiny_spec, "tiny.yaml", [f"data.validation={share}"]).describe_dataset("test")
        for share in (0.3, 0.4)
    ]
    assert described[0] != described[1]
