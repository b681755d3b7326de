"""The summary of a data set."""

from __future__ import annotations

import json

import numpy as np

import sslreg
from sslreg_data.summary import format_dataset, format_findings, summarize
from sslreg_data.survey import choose_rows, survey_images


class Scans(sslreg.Dataset):
    """Gray images of two classes and three patients."""

    def __init__(self, count: int) -> None:
        self.classes = ["healthy", "ill", "unknown"]
        self.count = count
        self.targets = np.arange(count) % 2

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[object, int]:
        image = b"broken" if index == 4 else np.full((1, 8, 8 + index), index % 3, np.uint8)
        return image, int(self.targets[index])

    def name(self, index: int) -> str:
        return f"scan {index}"

    def group(self, index: int) -> str:
        return f"patient {index % 3}"


def summary_of(source: object, limit: int | None = None) -> dict[str, object]:
    samples = sslreg.SampleDataset(source)
    summary = summarize(samples, survey_images(samples, choose_rows(len(samples), limit), sslreg.Readers()))
    return json.loads(json.dumps(summary))


def test_classes_groups_and_sizes_are_counted() -> None:
    summary = summary_of(Scans(7))
    assert summary["classes"] == {"healthy": 4, "ill": 3, "unknown": 0}
    assert summary["groups"] == 3
    assert summary["size"] == {"smallest": [8, 8], "median": [8, 10.5], "largest": [8, 14]}
    assert summary["channels"] == {"1 (gray)": 6}
    assert summary["unreadable"][0]["name"] == "scan 4"
    assert format_dataset("train", summary) == (
        "train: 7 images, 2 classes of 3 to 4 images, 1 class without images, 3 groups"
    )
    findings = dict(format_findings(summary))
    assert findings["files"] == "ndarray"
    assert findings["size"] == "median 8x10.5 (height x width), sides from 8x8 to 8x14"
    assert findings["unreadable"].startswith("1 image\n")


def test_a_part_of_a_large_data_set_is_examined() -> None:
    summary = summary_of([(np.zeros((3, 4, 4), np.uint8), None)] * 50, limit=10)
    assert (summary["samples"], summary["examined"]) == (50, 10)
    assert summary["classes"] is None
    assert format_dataset("train", summary) == "train: 50 images, 10 of them examined (--all examines all)"
    assert dict(format_findings(summary))["duplicates"].startswith("9 images repeat another one\n0 = 5 = 11 = 16 = …")


def test_what_differs_is_listed_by_frequency() -> None:
    color, gray = np.random.default_rng(0).integers(0, 9, (2, 3, 4, 4), dtype=np.uint8)
    summary = summary_of([(color, None), (gray[:1], None), (color[::-1].copy(), None)])
    findings = dict(format_findings(summary))
    assert findings["channels"] == "3 (color): 2; 1 (gray): 1"
    assert findings["normalize"].startswith("images differ in their channels")
    assert "duplicates" not in findings


def test_a_data_set_without_a_readable_image_has_only_its_reasons() -> None:
    assert [title for title, _ in format_findings(summary_of([(b"broken", None)]))] == ["unreadable"]
