"""Writes the package of a new plugin from templates. The package is complete and passes its tests."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

from sslreg.atomic_files import explain_write_errors, write_text
from sslreg.errors import UserError
from sslreg.registry import API, KINDS
from sslreg.suggestions import did_you_mean
from sslreg.version import __version__

#: The files of a package and their templates, in addition to the component's.
PACKAGE = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    ".gitignore": "gitignore",
    ".github/workflows/tests.yml": "ci.yml",
    "src/{package}/__init__.py": "plugin.py",
    "tests/test_{package}.py": "test_plugin.py",
    "specs/{distribution}.yaml": "spec.yaml",
}

#: The parts of the spec, by name; a package replaces those that use its component.
SPEC = {
    "train": "{use: digits, split: train}",
    "test": "{use: digits, split: test}",
    "channels": "1",
    "readers": "",
    "repeat": "2",
    "augment": (
        "      - {use: random_resized_crop, size: 16, scale: [0.5, 1.0]}\n      - {use: gaussian_noise, std: 0.05}"
    ),
    "model": "{use: simclr, backbone: {use: convnet}, projection: [128, 64]}",
    "loss": "{use: nt_xent, temperature: 0.5}",
    "optimizer": "{use: adamw, lr: 2.0e-3}",
    "schedule": "{use: cosine}",
    "evaluate": "[{use: few_shot}]",
}


@dataclass(frozen=True)
class Example:
    """The component of a new package.

    Attributes:
        summary: its summary.
        spec: the parts of the spec that use it.
        registration: more arguments of its registration, as lines of Python.
        image: an encoded image for the tests of a reader, as Python code.
    """

    summary: str
    spec: dict[str, str]
    registration: str = ""
    image: str = ""


EXAMPLES = {
    "augmentation": Example(
        "blackens a square of the image",
        {"augment": f"{SPEC['augment']}\n      - {{use: $name, size: 0.4}}"},
        registration='        invariances=("shape",),\n',
    ),
    "model": Example("compares two views of an image", {"model": "{use: $name, backbone: {use: convnet}, width: 64}"}),
    "loss": Example("alignment and uniformity", {"loss": "{use: $name, alpha: 2.0, t: 2.0}"}),
    "memory_bank": Example(
        "a ring buffer of the last keys", {"loss": "{use: nt_xent, memory_bank: {use: $name, size: 256}}"}
    ),
    "mask_sampler": Example(
        "a checkerboard of masked patches",
        {
            "repeat": "1",
            "model": (
                "{use: mae, backbone: {use: vit}, masks: {use: $name}, decoder_depth: 2, decoder_width: 64, "
                "decoder_heads: 4}"
            ),
            "loss": "{use: mae}",
        },
    ),
    "backbone": Example(
        "a small network on patches",
        {"model": "{use: simclr, backbone: {use: $name, width: 64}, projection: [128, 64]}"},
    ),
    "reader": Example(
        "farbfeld images",
        {"readers": "[{use: $name}]"},
        image='b"farbfeld" + (5).to_bytes(4) + (4).to_bytes(4) + bytes(range(160))',
    ),
    "dataset": Example(
        "generated images of shapes",
        {"train": "{use: $name, split: train}", "test": "{use: $name, split: test}"},
    ),
    "optimizer": Example("steps by the sign of the momentum", {"optimizer": "{use: $name, lr: 3.0e-4}"}),
    "schedule": Example("linear decay", {"schedule": "{use: $name}"}),
    "evaluator": Example("accuracy of the nearest class mean", {"evaluate": "[{use: $name}]"}),
    "callback": Example("writes a heartbeat file after each epoch", {"callbacks": "[{use: $name}]"}),
    "logger": Example("metrics as lines of JSON", {"loggers": "[{use: $name, path: metrics.jsonl}]"}),
}

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


def write_package(distribution: str, kind: str, folder: Path) -> list[Path]:
    """Write a package with a working component.

    Args:
        distribution: the name of the package on the package index.
        kind: the kind of the component.
        folder: a new or empty folder.

    Returns:
        The files that were written, in the order of their paths.

    Raises:
        UserError: the name or the kind is invalid, or the folder is not empty.
    """
    values = _template_values(distribution, kind)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists already", hint="choose another folder with --to", code="file-exists")
    texts = {path.format(**values): _fill_template(f"package/{name}", values) for path, name in PACKAGE.items()}
    texts[f"src/{values['package']}/{kind}.py"] = _fill_template(f"components/{kind}.py", values)
    texts[f"src/{values['package']}/py.typed"] = ""
    existed = folder.exists()
    try:
        for path, text in texts.items():
            with explain_write_errors(folder / path):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
            write_text(folder / path, text)
    except BaseException:
        # A part of a package would prevent the next attempt.
        with suppress(OSError):
            for entry in list(folder.iterdir()) if existed else [folder]:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        raise
    return [folder / path for path in sorted(texts)]


def _template_values(distribution: str, kind: str) -> dict[str, str]:
    """Return the values of the placeholders in the templates."""
    if kind not in KINDS:
        raise UserError(f"there is no kind of component {kind!r}", hint=did_you_mean(kind, KINDS), code="unknown-kind")
    if not _NAME.fullmatch(distribution):
        raise UserError(
            f"{distribution!r} is not a valid package name",
            hint="use lower-case letters, digits and dashes, for example acme-noise",
            code="bad-name",
        )
    package = distribution.replace("-", "_")
    if find_spec(package) is not None:
        raise UserError(f"there is already a package {package!r}", hint="choose another name", code="name-taken")
    example = EXAMPLES[kind]
    parts = {key: Template(text).substitute(name=package) for key, text in example.spec.items()}
    names = {
        "distribution": distribution,
        "package": package,
        "name": package,
        "class_name": "".join(word.capitalize() for word in package.split("_")),
        "kind": kind,
        "title": KINDS[kind].title,
        "summary": example.summary,
        "sentence": f"{example.summary.capitalize()}.",
        "registration": example.registration,
        "api": str(API),
        "version_range": version_range(__version__),
    }
    sections = {key: text for key, text in parts.items() if key not in SPEC}
    usage = "\n".join(f"{key}: {text}" for key, text in parts.items() if key not in ("augment", "repeat"))
    values = {**SPEC, **parts}
    data = {key: values.pop(key) for key in ("train", "test", "channels", "readers")}
    tests = f', images={{"{kind}/{package}": [IMAGE]}}' if example.image else ""
    return {
        **values,
        **names,
        "data": "".join(f"  {key}: {text}\n" for key, text in data.items() if text),
        "image": f"IMAGE = {example.image}\n" if example.image else "",
        "tests": f'"{distribution}"{tests}',
        "sections": "".join(f"{key}: {text}\n" for key, text in sections.items()),
        "usage": usage or f"augment:\n{parts['augment'].splitlines()[-1]}",
    }


def _fill_template(template: str, values: dict[str, str]) -> str:
    text = files("sslreg.cli").joinpath(f"templates/{template}.in").read_text(encoding="utf-8")
    return Template(text).substitute(values)


def version_range(version: str) -> str:
    """Return the range of compatible versions: below the next minor version before 1.0, else below the next major."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return f">={major}.{minor},<{f'0.{minor + 1}' if major == 0 else major + 1}"
