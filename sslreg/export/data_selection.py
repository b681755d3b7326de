"""The choice of images: a split of the run's data, or of other data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslreg.assembly import Builder, DatasetBuilder, SampleDataset
from sslreg.contracts import ImageLike
from sslreg.errors import SslregError, UserError
from sslreg.runs import Run
from sslreg.runs.run_evaluation import override_datasets
from sslreg.spec import Spec, load_spec
from sslreg.spec.extends import find_spec

#: The splits that a spec can name under `data`.
SPLITS = ("train", "reference", "test")

#: The component that reads a bare folder.
FOLDER = "image_folder"


@dataclass(frozen=True)
class SelectedData:
    """A data set and where it comes from.

    Attributes:
        samples: The data set.
        split: Its split.
        component: Its entry in a spec, as plain data; for a part of a split, with the `split`.
    """

    samples: SampleDataset
    split: str
    component: dict[str, Any]


def select_data(run: Run, split: str, data: str | None = None) -> SelectedData:
    """Return a split of the run's data, or of other data.

    Args:
        run: The run.
        split: One of `SPLITS`. Without a reference set, the training set is the reference.
        data: A folder of images, which becomes the split, or a spec whose split is used; None for the run's own data.

    Raises:
        UserError: The spec names no such split, or there is no such folder or spec.
    """
    spec = run.spec if data is None else load_spec(run.folder.resolved_spec, _override(split, data))
    if split == "reference" and spec.data.find("reference") is None:
        split = "train"  # as in evaluations
    if spec.data.find(split) is None:
        raise _no_such_split(spec, split)
    samples = DatasetBuilder(Builder(spec, run.facts)).build(split)
    return SelectedData(samples, split, spec.describe_dataset(split))


def select_evaluation_data(run: Run, data: str | None = None) -> SelectedData:
    """Return the test set, else the reference set, else the training set; of `data` if that is given."""
    spec = run.spec if data is None or Path(data).is_dir() else load_spec(data)
    split = next(name for name in ("test", "reference", "train") if spec.data.find(name) is not None)
    return select_data(run, split, data)


def read_image(samples: SampleDataset, index: int) -> ImageLike:
    """Return the image of a sample.

    Raises:
        UserError: The data set cannot read it.
    """
    image = samples[index].image
    if isinstance(image, UserError):
        raise image
    return image


def _override(split: str, data: str) -> list[str]:
    """Return overrides after which a split is other data."""
    if Path(data).is_dir():
        return [f"data.{split}={json.dumps({'use': FOLDER, 'root': data})}", "data.split=null", "data.validation=null"]
    if find_spec(data) is None:
        raise UserError(f"there is no folder and no spec {data!r}", code="missing-file")
    other = load_spec(data)
    if split != "reference" and other.data.find(split) is None:
        raise _no_such_split(other, split)
    return override_datasets(other)


def _no_such_split(spec: Spec, split: str) -> SslregError:
    splits = " or ".join(name for name in SPLITS if spec.data.find(name) is not None)
    return spec.error(("data",), "no-such-split", f"the spec names no data.{split}", f"it has --split {splits}")
