"""Which images: a data set of the run, or others brought along."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslreg.assembly import Builder, SampleDataset
from sslreg.contracts import ImageLike
from sslreg.errors import SslregError, UserError
from sslreg.spec import Spec, load_spec
from sslreg.spec.extends import find_spec
from sslreg.training import Run

#: The splits that a spec can name, under `data`.
SPLITS = ("train", "reference", "test")

#: The component that a bare folder stands for.
FOLDER = "image_folder"


@dataclass(frozen=True)
class ChosenData:
    """A data set and what it is called: ``component`` is its entry in a spec, as plain data."""

    samples: SampleDataset
    split: str
    component: dict[str, Any]


def chosen_data(run: Run, split: str, data: str | None = None) -> ChosenData:
    """A split of the run's data, or of other data.

    data: a folder of images, which is then the split; or a spec, whose split is taken. UserError: the spec names no
    such split, or there is no such folder or spec.
    """
    spec = run.spec if data is None else load_spec(run.folder.resolved_spec, [_override(split, data)])
    component = getattr(spec.data, split)
    if component is None:
        raise _no_such_split(spec, split)
    samples = SampleDataset(Builder(spec, run.facts).build(component))
    return ChosenData(samples, split, spec.to_dict()["data"][split])


def largest_known(run: Run, data: str | None = None) -> ChosenData:
    """The test set, or else the reference or training set; of `data` if that is given."""
    spec = run.spec if data is None or Path(data).is_dir() else load_spec(data)
    split = next(name for name in ("test", "reference", "train") if getattr(spec.data, name) is not None)
    return chosen_data(run, split, data)


def _no_such_split(spec: Spec, split: str) -> SslregError:
    there_are = " or ".join(name for name in SPLITS if getattr(spec.data, name) is not None)
    return spec.error(("data",), "no-such-split", f"the spec names no data.{split}", f"it has --split {there_are}")


def image_of(samples: SampleDataset, index: int) -> ImageLike:
    """A sample's image. UserError: the data set cannot give it."""
    image = samples[index].image
    if isinstance(image, UserError):
        raise image
    return image


def _override(split: str, data: str) -> str:
    if Path(data).is_dir():
        return f"data.{split}={json.dumps({'use': FOLDER, 'root': data})}"
    if find_spec(data) is None:
        raise UserError(f"there is no folder and no spec {data!r}", code="missing-file")
    other = load_spec(data)
    if getattr(other.data, split) is None:
        raise _no_such_split(other, split)
    return f"data.{split}={json.dumps(other.to_dict()['data'][split])}"
