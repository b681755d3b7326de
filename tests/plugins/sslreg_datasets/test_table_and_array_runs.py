"""Runs on an HDF5 stack and on a CSV file with groups: trained, previewed, embedded with names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sslreg
from sslreg import UserError
from sslreg.runs.run_evaluation import embed_split
from sslreg.spec import load_spec, parse_spec

#: A spec of a dozen lines without its data.
SPEC = """
version: 1
views: [{repeat: 2, augment: [{use: random_resized_crop, size: 8, scale: [0.5, 1]}, {use: horizontal_flip, p: 0.5}]}]
model: {use: simclr, backbone: {use: convnet, width: 8, depth: 2}, projection: [16, 8]}
loss: {use: nt_xent}
optimizer: {use: sgd, lr: 0.1}
trainer: {max_epochs: 1, accelerator: cpu}
"""

PIXELS = np.random.default_rng(0).integers(0, 2**16, (40, 10, 9)).astype(np.uint16)


def run_spec(folder: Path, data: str) -> sslreg.Run:
    (folder / "spec.yaml").write_text(f"{SPEC}{data}")
    return sslreg.train(load_spec(folder / "spec.yaml"), folder / "run")


def test_an_hdf5_stack(tmp_path: Path) -> None:
    with pytest.importorskip("h5py").File(tmp_path / "stack.h5", "w") as file:
        file["scans"], file["kinds"] = PIXELS, np.arange(40) % 2
    data = f"data: {{train: {{use: array, file: '{tmp_path}/stack.h5', images: scans, labels: kinds}}, channels: 1, "
    run = run_spec(tmp_path, data + "split: {test: 0.3}, batch_size: 8}\nevaluate: [{use: knn}]\n")
    assert run.summary["steps"] == len(run.split("train")) // 8
    assert "knn_top1" in run.summary["final"]
    for split in ("train", "test"):
        samples, embeddings = run.split(split), embed_split(run, split)
        assert embeddings.targets is not None
        for row, name in enumerate(embeddings.names):
            pixels = sslreg.load_image(samples[row].image)
            assert np.array_equal(pixels[0].numpy(), PIXELS[int(name)] / np.float32(65535))
            assert int(embeddings.targets[row]) == int(name) % 2
    preview = sslreg.preview(run.spec, samples=3)
    assert [bool(row.error) for row in preview.rows] == [False] * 3


def test_a_csv_file_with_groups(tmp_path: Path) -> None:
    lines = ["scan,finding,patient"]
    for number in range(40):
        name = f"{number}.png"
        Image.fromarray((PIXELS[number] >> 8).astype(np.uint8)).save(tmp_path / name)
        lines.append(f"{name},{'tumor' if number % 2 else 'none'},{number // 4}")
    (tmp_path / "scans.csv").write_text("\n".join(lines))
    table = f"{{use: table, file: '{tmp_path}/scans.csv', path: scan, label: finding, group: patient}}"
    data = f"data: {{train: {table}, channels: 1, split: {{test: 0.3}}, batch_size: 8}}\nevaluate: [{{use: knn}}]\n"
    run = run_spec(tmp_path, data)
    sets = {split: embed_split(run, split) for split in ("train", "test")}
    patients = {split: {int(name[:-4]) // 4 for name in own.names} for split, own in sets.items()}
    assert patients["train"].isdisjoint(patients["test"])
    assert patients["train"] | patients["test"] == set(range(10))
    assert len(sets["test"]) == 4 * len(patients["test"]) > 0
    for name, sample in zip(sets["test"].names, run.split("test"), strict=False):
        assert np.array_equal(sslreg.load_image(sample.image)[0].numpy(), PIXELS[int(name[:-4])] >> 8)
    assert {row.name for row in sslreg.preview(run.spec, samples=40).rows} == set(sets["train"].names)


def test_a_run_on_several_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "stack.npy", PIXELS)
    np.save(tmp_path / "labels.npy", np.random.default_rng(0).integers(0, 2, (40, 3)))
    stack = f"{{use: array, file: '{tmp_path}/stack.npy', labels: '{tmp_path}/labels.npy', classes: [a, b, c]}}"
    data = f"data: {{train: {stack}, channels: 1, split: {{test: 0.3}}, batch_size: 8}}\n"
    run = run_spec(tmp_path, data + "evaluate: [{use: knn}, {use: linear, solver: sgd, epochs: 2}]\n")
    for subject in (run.summary["final"], *run.summary["baseline"].values()):
        assert {"knn_map", "knn_map_ci", "linear_map", "linear_map_ci"} <= set(subject)
    with pytest.raises(UserError, match="few_shot needs a single class number for each image, but the reference set"):
        sslreg.train(parse_spec(f"{SPEC}{data}evaluate: [{{use: few_shot}}]\n", "spec.yaml"), tmp_path / "refused")
    labels = {row.label for row in sslreg.preview(run.spec, samples=40).rows}
    assert "a, c" in labels
