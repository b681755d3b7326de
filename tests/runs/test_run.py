"""Using a finished run."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import sslreg
from sslreg import Run, UserError
from sslreg.runs import embed_split


def test_two_lines_give_backbone_and_preprocessing(tiny_run: Run) -> None:
    run = sslreg.load_run(tiny_run.path)
    backbone, preprocess = run.backbone(), run.preprocess()
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 20), dtype=np.uint8))
    features = backbone(preprocess(image)[None])
    assert features.shape == (1, backbone.num_features)
    assert torch.equal(run.embed([image]), features.detach())


def test_embedding_a_data_set_and_its_images_gives_the_same(tiny_run: Run) -> None:
    samples = tiny_run.split("test")
    embedded = embed_split(tiny_run, "test")
    images = [samples[number].image for number in range(10)]
    torch.testing.assert_close(tiny_run.embed(images, batch_size=3), embedded.features[:10])


def test_the_trained_backbone_is_not_the_untrained_one(tiny_run: Run) -> None:
    weights = [next(model.parameters()) for model in (tiny_run.model(), tiny_run.untrained_model())]
    assert not torch.equal(*weights)


def test_a_folder_that_is_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(UserError, match="is not the folder of a run"):
        sslreg.load_run(tmp_path)


@pytest.mark.parametrize("content", [None, "{"])
def test_a_summary_that_is_gone_or_cut_off_is_named(tmp_path, tiny_run: Run, content: str | None) -> None:
    broken = shutil.copytree(tiny_run.path, tmp_path / "broken")
    (broken / "summary.json").unlink()
    if content is not None:
        (broken / "summary.json").write_text(content)
    run = sslreg.load_run(broken)
    with pytest.raises(UserError, match=r"summary\.json is missing or damaged"):
        _ = run.summary


def test_using_a_run_imports_no_lightning(tiny_run: Run) -> None:
    program = (
        f"import sys, sslreg; sslreg.load_run({str(tiny_run.path)!r}).backbone();"
        "sys.exit('imported lightning' if 'lightning' in sys.modules else 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
