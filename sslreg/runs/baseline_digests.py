"""Digests of everything that the metrics of a baseline depend on."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sslreg.assembly import NamedEvaluator, find_component
from sslreg.contracts import Backbone, BackboneEvaluator, Model, PatchBackbone, PatchEvaluator
from sslreg.evaluation import Evaluation, checksum_weights
from sslreg.registry import installed
from sslreg.runs.provenance import read_versions
from sslreg.spec import ComponentSpec, Spec, find_components
from sslreg.spec.tree import find_nearest, to_python
from sslreg.spec.view_roles import main_view

#: The keys of `data` that determine the pixels of an image.
_PIXEL_KEYS = ("channels", "range", "background", "max_pixels", "readers", "on_error")


def find_embedding_component(spec: Spec, model: Model) -> ComponentSpec:
    """Return the component that embeds images: the backbone if a model embeds them with it alone, else the model."""
    backbone = find_component(spec, model.backbone) if type(model).embed is Model.embed else None
    return spec.model if backbone is None else backbone


def checksum_embedding(component: ComponentSpec, model: Model) -> int:
    """Return a checksum of the weights with which a model embeds images.

    Args:
        component: the component that embeds images, a backbone or the whole model.
        model: the model.
    """
    return checksum_weights(model.backbone if component.kind == "backbone" else model)


def describe_model(spec: Spec, component: ComponentSpec, weights: int) -> dict[str, Any]:
    """Describe what the features of a model depend on: its parameters, its code and the checksum of its weights."""
    entry = _to_plain(spec, component)
    if component.kind == "backbone":
        entry.pop("weights", None)  # the checksum tells more than the name of the file
    targets = sorted({one.info.target for one in find_components(component)})
    return {"entry": entry, "targets": targets, "weights": weights}


def describe_raw_pixels(backbone: Backbone) -> dict[str, Any]:
    """Describe what raw pixels depend on: their patches have the size of those of a backbone."""
    return {"patch_size": backbone.patch_size if isinstance(backbone, PatchBackbone) else None}


def digest_conditions(
    evaluation: Evaluation, subject: Mapping[str, Any], evaluators: Sequence[NamedEvaluator]
) -> dict[str, str]:
    """Return, by the evaluators' names, a digest of everything that the metrics of a baseline depend on.

    These are the baseline, the evaluator and its parameters, the images as models get them, their labels, the sections
    of the spec that make them, the seed, the kind of device, and the code and the versions of all packages that take
    part.

    Args:
        evaluation: the evaluation, which has computed its checksums.
        subject: what the features depend on: the result of `describe_model` or `describe_raw_pixels`.
        evaluators: the evaluators.
    """
    spec = evaluation.spec
    view = list(main_view(spec).augment if spec.embed_view is None else spec.embed_view)
    used = find_components([*view, *(spec.data.find(role) for role in _list_roles(spec))])
    common = {
        "subject": {key: value for key, value in subject.items() if key != "patch_size"},
        "view": [_to_plain(spec, component) for component in view],
        "data": _describe_data(spec),
        "seed": spec.seed,
        "device": evaluation.device.type,
    }
    return {
        entry.name: _digest(
            common
            | {
                "evaluator": [entry.name, entry.component.info.target, _read_parameters(spec, entry)],
                "images": evaluation.checksum_for(entry.evaluator),
                "patch_size": subject.get("patch_size") if isinstance(entry.evaluator, PatchEvaluator) else None,
                "training": _describe_training(spec) if isinstance(entry.evaluator, BackboneEvaluator) else None,
                "versions": _list_versions(spec, [*used, entry.component], subject),
            }
        )
        for entry in evaluators
    }


def _describe_training(spec: Spec) -> dict[str, Any]:
    """Describe what an evaluator that trains the backbone uses in addition."""
    return {"views": spec.to_dict()["views"], "precision": str(spec.trainer.get("precision"))}


def _list_roles(spec: Spec) -> list[str]:
    """Return the data sets of which images are evaluated."""
    reference = "train" if spec.data.find("reference") is None else "reference"
    return [role for role in (reference, "test") if spec.data.find(role) is not None]


def _describe_data(spec: Spec) -> dict[str, Any]:
    data = spec.to_dict()["data"]
    return {key: data.get(key) for key in _PIXEL_KEYS} | {
        role: spec.describe_dataset(role) for role in _list_roles(spec)
    }


def _to_plain(spec: Spec, component: ComponentSpec) -> dict[str, Any]:
    plain: dict[str, Any] = to_python(find_nearest(spec.tree, component.path), secrets=False)
    return plain


def _read_parameters(spec: Spec, entry: NamedEvaluator) -> dict[str, Any]:
    """Return an evaluator's entry in a spec without `every`: a baseline is evaluated once."""
    return {key: value for key, value in _to_plain(spec, entry.component).items() if key != "every"}


def _list_versions(spec: Spec, components: Sequence[ComponentSpec], subject: Mapping[str, Any]) -> dict[str, Any]:
    """Return the versions and the code of the packages of components, of a subject and of all installed readers."""
    versions = read_versions(spec)
    del versions["components"]
    readers = [info.target for info in installed().of_kind("reader")]
    targets = {component.info.target for component in components} | set(subject.get("targets", ())) | set(readers)
    packages = {"sslreg", *(target.partition(":")[0].partition(".")[0] for target in targets)}
    distributions = {info.distribution for info in installed() if info.target in targets}
    return versions | {
        "packages": _list_requirements(distributions),
        "code": {package: _checksum_code(package) for package in sorted(packages)},
    }


@cache
def _checksum_code(package: str) -> int:
    """Return a checksum of the Python files of a package or a module; 0 if there are none.

    A version does not tell the code during development.
    """
    checksum = 0
    with suppress(ImportError, OSError, ValueError):  # the last is raised for what has no file
        found = find_spec(package)
        folders = (found and found.submodule_search_locations) or ()
        files = [file for folder in folders for file in sorted(Path(folder).rglob("*.py"))]
        for file in files or [Path((found and found.origin) or "")]:
            checksum = zlib.crc32(file.read_bytes(), zlib.crc32(file.name.encode(), checksum))
    return checksum


def _list_requirements(distributions: set[str]) -> dict[str, str]:
    """Return the versions of distributions and of the installed packages that they require, also for extras."""
    names = set(distributions)
    for distribution in distributions:
        with suppress(PackageNotFoundError):
            names |= {match[0] for line in requires(distribution) or () if (match := re.match(r"[\w.-]+", line))}
    versions = {}
    for name in names:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions


def _digest(conditions: Mapping[str, Any]) -> str:
    text = json.dumps(conditions, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
