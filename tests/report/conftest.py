"""Reports that several tests read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sslreg
from sslreg import Run
from sslreg.report import write_report
from sslreg.spec import parse_spec

#: A name that breaks out of a page that does not escape it.
NASTY = "<script>alert(1)<"

FOLDER = """
version: 1
name: folder
data:
  train: {{use: image_folder, root: {root}}}
  test: {{use: image_folder, root: {root}}}
  batch_size: 8
views:
  - repeat: 2
    augment:
      - {{use: random_resized_crop, size: 16}}
      - {{use: normalize, stats: imagenet}}
model: {{use: simclr, backbone: {{use: convnet, width: 8, depth: 2}}, projection: [16]}}
loss: {{use: nt_xent}}
optimizer: {{use: sgd, lr: 0.1}}
trainer: {{max_epochs: 1, accelerator: cpu}}
"""

#: Made-up results of `sslreg evaluate RUN invariance`.
EVALUATIONS = {
    "trained": {
        "knn_top1": 0.75,
        "knn_top1_ci": 0.125,
        "invariance_shape": 0.25,
        "invariance_shape_ci": 0.0625,
        "invariance_affine": 0.5,
        "invariance_affine_rotation": 0.5,
        "invariance_affine_rotation_s25": 0.25,
        "invariance_affine_rotation_s100": 2.0,
        "invariance_affine_rotation_readback": 0.125,
        "invariance_of_someone": 2.0,
    },
    "untrained": {"knn_top1": 0.5, "invariance_shape": 1.0, "invariance_affine": 1.0},
    "raw_pixels": {"knn_top1": 0.25},
}


@pytest.fixture(scope="session")
def folder_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on photographs of two classes, one of which is named to cause trouble, as are its files."""
    root = tmp_path_factory.mktemp("classes")
    generator = np.random.default_rng(0)
    for name in (NASTY, "plain"):
        (root / name).mkdir()
        for number in range(7):
            coarse = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((80, 60), Image.Resampling.BILINEAR).save(
                root / name / f"{NASTY}{number}.jpg"
            )
    run = sslreg.train(parse_spec(FOLDER.format(root=root), "folder.yaml"), tmp_path_factory.mktemp("runs") / "folder")
    (run.path / "evaluations.json").write_text(json.dumps(EVALUATIONS))
    return run


@pytest.fixture(scope="session")
def evaluated_run(tiny_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The tiny run with evaluations."""
    copy = tmp_path_factory.mktemp("evaluated") / "tiny"
    shutil.copytree(tiny_run.path, copy)
    (copy / "evaluations.json").write_text(json.dumps(EVALUATIONS))
    return sslreg.load_run(copy)


@pytest.fixture(scope="session")
def one(tiny_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of one run, which was evaluated while it trained and no further."""
    path = tmp_path_factory.mktemp("report") / "one.html"
    write_report([tiny_run.path], path)
    return path


@pytest.fixture(scope="session")
def two(evaluated_run: Run, folder_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two runs side by side."""
    path = tmp_path_factory.mktemp("report") / "two.html"
    write_report([evaluated_run.path, folder_run.path], path)
    return path


@pytest.fixture(scope="session")
def with_patches(patch_run: Run, evaluated_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run with patches and one without."""
    copy = tmp_path_factory.mktemp("evaluated") / "patches"
    shutil.copytree(patch_run.path, copy)
    (copy / "evaluations.json").write_text(json.dumps(EVALUATIONS))
    path = tmp_path_factory.mktemp("report") / "patches.html"
    write_report([copy, evaluated_run.path], path)
    return path
