"""The code blocks of the documentation work. Each page is followed from top to bottom, in a separate folder.

* A block of shell or Python is run unchanged.
* A block of Python that starts with a file name, such as ``# acme/loss.py``, is also written to that file.
* A block of YAML is a spec, which is written to a file of its name, or parts of a spec.
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

#: The spec ``mine.yaml``, unless a page creates one, and ``my-photos.yaml``. Parts of specs on a page belong to it.
MINE = """
extends: folder-simclr
version: 1
name: mine
data:
  train: {use: image_folder, root: photos}
  reference: {use: image_folder, root: labeled}
  test: {use: image_folder, root: held-out}
"""

#: The paths of runs on the pages.
RUNS = ("RUN", "runs/my-photos/2026-11-24_09-30-00", "runs/weak/2026-11-23_18-00-00", "runs/strong/2026-11-24_18-00-00")

#: The path of a run with patches on the pages.
PATCH_RUN = "VIT"

#: Python code that runs before the blocks of a page.
PRELUDES = {
    "docs/losses.md": """
import torch
parameter = torch.nn.Parameter(torch.randn(8, 128))
query, key, optimizer = 2 * parameter, torch.randn(8, 128), torch.optim.SGD([parameter], lr=0.1)
""",
    "docs/how-to/train-fast.md": "import sslreg",
    "docs/runs.md": "import sslreg; paths = ['photos/first.jpg']",
    "docs/augmentations.md": "import sslreg; registry = sslreg.Registry('acme', 'acme-ssl', '1.0')",
}

#: Pages that need installed packages, and the tests that follow them.
TESTED_ELSEWHERE = {"docs/plugins.md": ["tests/registry/test_guide.py", "tests/cli/test_scaffold.py"]}

#: Commands that this test does not run, with reasons.
NOT_RUN = {
    r"make \w+": ".ci/run runs the targets, and this test runs inside one of them",
    r"pip install .*": "it would change the environment of the tests",
    r"sslreg tune.*": "it trains many runs; its tests are in tests/plugins/sslreg_tune",
    r"sslreg browse.*": "it serves pages until it is stopped; its tests are in tests/plugins/sslreg_browser",
}

#: Overrides that cut a training on a page to a few steps of a few images with a small network.
SHORTENED = (
    "trainer.max_epochs=12",
    "trainer.limit_train_batches=1",
    "trainer.accelerator=cpu",
    "data.batch_size=4",
    "data.workers=0",
    "'model.backbone={use: convnet, width: 4}'",
)
#: A resumed training is cut to two more epochs.
EPOCHS, FEWER = "max_epochs=400", "max_epochs=4"

#: A script that precedes the command `sslreg` on the PATH and shortens trainings. Teachers are small, too.
SHIM = f"""#!/bin/sh
case "$*" in
  "train digits-distillation"*) set -- "$@" --set model.teacher.width=4 ;;
esac
case "$*" in
  *--resume*|*--help*) ;;
  train*) set -- "$@" {" ".join(f"--set {each}" for each in SHORTENED)} ;;
esac
exec {Path(sys.executable).with_name("sslreg")} "$@"
"""


@dataclass
class Reader:
    """A reader who follows a page."""

    page: str
    folder: Path
    names: dict[str, Any] = field(default_factory=dict)

    def follow(self) -> None:
        for line, language, code in blocks(self.page):
            getattr(self, language, self.skip)(code, f"{self.page}:{line}")

    def sh(self, code: str, at: str) -> None:
        shorter = code.replace(EPOCHS, FEWER)
        lines = [line for line in shorter.splitlines() if not any(re.match(pattern, line) for pattern in NOT_RUN)]
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
        # A block may contain a key several times: these are alternatives, and each must be valid.
        for part in re.split(r"^(?=\w)", code, flags=re.MULTILINE):
            if part.strip():
                parse_spec(yaml.safe_dump(_merge(base, yaml.safe_load(part) or {})), at)

    def skip(self, code: str, at: str) -> None:
        """Ignore output and other languages: there is nothing to run."""


def blocks(page: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, language and content of each fenced block of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.finditer(r"^ *```(\w*).*\n([\s\S]*?)^ *```$", text, re.MULTILINE):
        yield text.count("\n", 0, block.start()) + 1, block[1], block[2]


def _merge(base: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Merge mappings and replace everything else, as `extends` does; replace components as a whole."""
    merged = dict(base)
    for key, value in part.items():
        nested = isinstance(value, dict) and isinstance(base.get(key), dict) and "use" not in value
        merged[key] = _merge(base[key], value) if nested else value
    return merged


@pytest.fixture
def sandbox(tmp_path: Path, tiny_run: sslreg.Run, patch_run: sslreg.Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages mention: photographs, labeled photographs, specs, and runs."""
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
        resolved.write_text(resolved.read_text().replace("max_epochs: 2", "max_epochs: 3"))  # so that it can resume
    copytree(patch_run.path, tmp_path / PATCH_RUN)
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
    exec(PRELUDES.get(page, ""), reader.names)
    reader.follow()


def test_every_exception_is_needed() -> None:
    commands = "\n".join(code for page in PAGES for _, language, code in blocks(page) if language == "sh")
    assert all(re.search(rf"^{pattern}", commands, re.MULTILINE) for pattern in NOT_RUN)
    assert set(TESTED_ELSEWHERE) <= set(PAGES)
    assert all((ROOT / test).exists() for tests in TESTED_ELSEWHERE.values() for test in tests)
