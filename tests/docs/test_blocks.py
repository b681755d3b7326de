"""The documentation's blocks do what they say: each page is followed from top to bottom, in a folder of its own.

A block of shell or Python is run as it is written. A block of Python that begins with a file's name, such as
``# acme/loss.py``, is written to that file. A block of YAML is a spec, which then lies there under its name, or
parts of one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml
from PIL import Image

import sslreg
from sslreg.spec import load_spec, parse_spec

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if "reference" not in path.parts
)

#: The spec that pages call ``mine.yaml`` where they do not make one, or ``my-photos.yaml``, and that the parts of
#: specs on them belong to.
MINE = """
extends: folder-simclr
version: 1
name: mine
data:
  train: {use: image_folder, root: photos}
  reference: {use: image_folder, root: labeled}
  test: {use: image_folder, root: held-out}
"""

#: Where a run is said to be.
RUNS = ("RUN", "runs/my-photos/2026-11-24_09-30-00", "runs/weak/2026-11-23_18-00-00", "runs/strong/2026-11-24_18-00-00")

#: What pages take for granted in Python, beside what their own blocks define.
GIVEN = {
    "docs/losses.md": """
import torch
parameter = torch.nn.Parameter(torch.randn(8, 128))
query, key, optimizer = 2 * parameter, torch.randn(8, 128), torch.optim.SGD([parameter], lr=0.1)
""",
    "docs/runs.md": "import sslreg; paths = ['photos/first.jpg']",
    "docs/augmentations.md": "import sslreg; registry = sslreg.Registry('acme', 'acme-ssl', '1.0')",
}

#: Pages that take packages to be installed, and the tests that follow them there.
TESTED_ELSEWHERE = {"docs/plugins.md": ["tests/registry/test_guide.py", "tests/cli/test_scaffold.py"]}

#: Commands that this test cannot run, each with the reason.
NOT_HERE = {
    r"make \w+": "continuous integration runs the targets; this test runs inside of one of them",
    r"pip install .*": "it would change the environment that the tests run in",
}

#: A training that is named on a page is cut to a few steps of a few images by a small network.
SHORTENED = (
    "trainer.max_epochs=12",
    "trainer.limit_train_batches=1",
    "trainer.accelerator=cpu",
    "data.batch_size=4",
    "data.workers=0",
    "'model.backbone={use: convnet, width: 4}'",
)
#: And one that goes on, to two more epochs.
EPOCHS, FEWER = "max_epochs=400", "max_epochs=4"

#: Stands before the command on the PATH.
SHIM = f"""#!/bin/sh
case "$*" in
  *--resume*|*--help*) ;;
  train*) set -- "$@" {" ".join(f"--set {each}" for each in SHORTENED)} ;;
esac
exec {Path(sys.executable).with_name("sslreg")} "$@"
"""


@dataclass
class Reader:
    """Someone who follows a page."""

    page: str
    folder: Path
    names: dict[str, Any] = field(default_factory=dict)

    def follow(self) -> None:
        for line, language, code in blocks(self.page):
            getattr(self, language, self.shown)(code, f"{self.page}:{line}")

    def sh(self, code: str, at: str) -> None:
        shorter = code.replace(EPOCHS, FEWER)
        lines = [line for line in shorter.splitlines() if not any(re.match(pattern, line) for pattern in NOT_HERE)]
        path = os.pathsep.join([str(self.folder / ".bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
            cwd=self.folder,
            env=os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{at}\n{code}\n{done.stdout}\n{done.stderr}"

    def python(self, code: str, at: str) -> None:
        if file := re.match(r"# ([\w/]+\.\w+)\n", code):
            path = self.folder / file[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code)
        exec(compile(code, at, "exec"), self.names)

    def yaml(self, code: str, at: str) -> None:
        if "version:" in code:
            name = yaml.safe_load(code).get("name", "nameless")
            (self.folder / f"{name}.yaml").write_text(code)
            load_spec(self.folder / f"{name}.yaml")
            return
        base = load_spec(self.folder / "mine.yaml").to_dict()
        # A block may show one key several times: alternatives, of which each has to be right.
        for part in re.split(r"^(?=\w)", code, flags=re.MULTILINE):
            if part.strip():
                parse_spec(yaml.safe_dump(_merged(base, yaml.safe_load(part) or {})), at)

    def shown(self, code: str, at: str) -> None:
        """Output, or a file of another language: there is nothing to run."""


def blocks(page: str) -> Iterator[tuple[int, str, str]]:
    """The page's fenced blocks: the line of each, its language, its content."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.finditer(r"^ *```(\w*).*\n([\s\S]*?)^ *```$", text, re.MULTILINE):
        yield text.count("\n", 0, block.start()) + 1, block[1], block[2]


def _merged(base: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Mappings merge and all else replaces, as where a spec extends another; components replace each other."""
    merged = dict(base)
    for key, value in part.items():
        nested = isinstance(value, dict) and isinstance(base.get(key), dict) and "use" not in value
        merged[key] = _merged(base[key], value) if nested else value
    return merged


@pytest.fixture
def sandbox(tmp_path: Path, tiny_run: sslreg.Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the pages speak of: photographs in ``photos``, labeled ones, specs, and a run in several places."""
    (tmp_path / ".bin").mkdir()
    (tmp_path / ".bin" / "sslreg").write_text(SHIM)
    (tmp_path / ".bin" / "sslreg").chmod(0o755)
    sample = Image.effect_noise((96, 64), 60).convert("RGB")
    for folder in ("photos/one", "photos/two", "labeled/one", "labeled/two", "held-out/one", "held-out/two"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(16):
            sample.rotate(number * 20).save(tmp_path / folder / f"{number}.jpg")
    sample.save(tmp_path / "photos" / "first.jpg")
    (tmp_path / "my-photos.yaml").write_text(MINE)
    for name in RUNS:
        copytree(tiny_run.path, tmp_path / name)
        resolved = tmp_path / name / "spec.resolved.yaml"
        resolved.write_text(resolved.read_text().replace("max_epochs: 2", "max_epochs: 3"))  # so it can go on
    monkeypatch.setenv("PHOTOS", "photos")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.independent
@pytest.mark.parametrize("page", [page for page in PAGES if page not in TESTED_ELSEWHERE])
def test_a_page_can_be_followed(page: str, sandbox: Path) -> None:
    reader = Reader(page, sandbox)
    if not re.search(r"specs copy \S+ mine\.yaml", (ROOT / page).read_text()):
        (sandbox / "mine.yaml").write_text(MINE)
    exec(GIVEN.get(page, ""), reader.names)
    reader.follow()


def test_what_is_left_out_is_there() -> None:
    commands = "\n".join(code for page in PAGES for _, language, code in blocks(page) if language == "sh")
    assert all(re.search(rf"^{pattern}", commands, re.MULTILINE) for pattern in NOT_HERE)
    assert set(TESTED_ELSEWHERE) <= set(PAGES)
    assert all((ROOT / test).exists() for tests in TESTED_ELSEWHERE.values() for test in tests)
