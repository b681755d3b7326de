"""Writes a plugin package to start from: complete, and sound as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template

from sslreg.errors import UserError
from sslreg.registry import API, KINDS
from sslreg.suggestions import did_you_mean
from sslreg.version import __version__

#: Where each file of a package comes from, beside the component's own.
PACKAGE = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    ".gitignore": "gitignore",
    ".github/workflows/tests.yml": "ci.yml",
    "src/{package}/__init__.py": "plugin.py",
    "tests/test_{package}.py": "test_plugin.py",
    "specs/{distribution}.yaml": "spec.yaml",
}

#: What a spec has in each place, unless it is what the package is about.
SPEC = {
    "train": "{use: digits, split: train}",
    "test": "{use: digits, split: test}",
    "channels": "1",
    "readers": "",
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
    """The component that a package of a kind starts with.

    spec: where a spec names it, and how; more: what else is said when it is registered.
    image: Python code of an encoded image, for the tests of a reader.
    """

    summary: str
    spec: dict[str, str]
    more: str = ""
    image: str = ""


EXAMPLES = {
    "augmentation": Example(
        "a square cut out of the image",
        {"augment": f"{SPEC['augment']}\n      - {{use: $name, size: 0.4}}"},
        more='        invariances=("shape",),\n',
    ),
    "model": Example("two views through one network", {"model": "{use: $name, backbone: {use: convnet}, width: 64}"}),
    "loss": Example("alignment and uniformity", {"loss": "{use: $name, alpha: 2.0, t: 2.0}"}),
    "memory_bank": Example("the last keys in a ring", {"loss": "{use: nt_xent, memory_bank: {use: $name, size: 256}}"}),
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
        "pictures of shapes, drawn on the spot",
        {"train": "{use: $name, split: train}", "test": "{use: $name, split: test}"},
    ),
    "optimizer": Example("steps by the sign of a momentum", {"optimizer": "{use: $name, lr: 3.0e-4}"}),
    "schedule": Example("a straight line down", {"schedule": "{use: $name}"}),
    "evaluator": Example("accuracy of the nearest class mean", {"evaluate": "[{use: $name}]"}),
    "callback": Example("a sign of life after each epoch", {"callbacks": "[{use: $name}]"}),
    "logger": Example("metrics as lines of JSON", {"loggers": "[{use: $name, path: metrics.jsonl}]"}),
}

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


def write_package(distribution: str, kind: str, folder: Path) -> list[Path]:
    """Write a package with a working component of a kind; the files, in the order of their paths.

    distribution: its name on the package index; folder: new or empty. UserError: a name or a kind that cannot be, or
    something in the folder.
    """
    words = _words(distribution, kind)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already", hint="choose another with --to", code="file-exists")
    texts = {path.format(**words): _filled(f"package/{name}", words) for path, name in PACKAGE.items()}
    texts[f"src/{words['package']}/{kind}.py"] = _filled(f"components/{kind}.py", words)
    texts[f"src/{words['package']}/py.typed"] = ""
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return [folder / path for path in sorted(texts)]


def _words(distribution: str, kind: str) -> dict[str, str]:
    """What the templates' words stand for."""
    if kind not in KINDS:
        raise UserError(f"no kind of component is called {kind!r}", hint=did_you_mean(kind, KINDS), code="unknown-kind")
    if not _NAME.fullmatch(distribution):
        raise UserError(
            f"{distribution!r} is no name for a package",
            hint="use lower-case letters, digits and dashes, such as acme-noise",
            code="bad-name",
        )
    package = distribution.replace("-", "_")
    if find_spec(package) is not None:
        raise UserError(f"there is a package {package!r} already", hint="choose a name that is free", code="name-taken")
    example = EXAMPLES[kind]
    named = {key: Template(text).substitute(name=package) for key, text in example.spec.items()}
    words = {
        "distribution": distribution,
        "package": package,
        "name": package,
        "class_name": "".join(word.capitalize() for word in package.split("_")),
        "kind": kind,
        "title": KINDS[kind].title,
        "summary": example.summary,
        "sentence": f"{example.summary.capitalize()}.",
        "more": example.more,
        "api": str(API),
        "version_range": version_range(__version__),
    }
    sections = {key: text for key, text in named.items() if key not in SPEC}
    usage = "\n".join(f"{key}: {text}" for key, text in named.items() if key != "augment")
    values = {**SPEC, **named}
    data = {key: values.pop(key) for key in ("train", "test", "channels", "readers")}
    tests = f', images={{"{kind}/{package}": [IMAGE]}}' if example.image else ""
    return {
        **values,
        **words,
        "data": "".join(f"  {key}: {text}\n" for key, text in data.items() if text),
        "image": f"IMAGE = {example.image}\n" if example.image else "",
        "tests": f'"{distribution}"{tests}',
        "sections": "".join(f"{key}: {text}\n" for key, text in sections.items()),
        "usage": usage or f"augment:\n{named['augment'].splitlines()[-1]}",
    }


def _filled(template: str, words: dict[str, str]) -> str:
    text = files("sslreg.cli").joinpath(f"templates/{template}.in").read_text()
    return Template(text).substitute(words)


def version_range(version: str) -> str:
    """The versions that keep the promises of this one: up to the next minor version before 1.0, then the next major."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return f">={major}.{minor},<{f'0.{minor + 1}' if major == 0 else major + 1}"
