"""Using a finished run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import sslreg
from sslreg import Run, SslregError, UserError
from sslreg.export.backbone import export_backbone
from sslreg.export.backbone_formats import Format
from sslreg.export.data_selection import select_data
from sslreg.export.embedding_writer import write_embeddings
from sslreg.runs import embed_split
from sslreg.runs.run_evaluation import evaluate_run
from sslreg.spec import parse_spec
from sslreg.testing.temporary_components import temporary_components
from sslreg.testing.tiny_components import TinyBackbone


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


def test_patches_are_those_of_the_backbone_on_preprocessed_images(patch_run: Run) -> None:
    images = [patch_run.split("test")[number].image for number in range(5)]
    patches = patch_run.patches(images, batch_size=3)
    assert (patches.shape, patches.dtype, patches.requires_grad) == ((5, 4, 4, 16), torch.float32, False)
    views = torch.stack([patch_run.preprocess()(image) for image in images])
    _, tokens = patch_run.backbone().tokens(views)
    torch.testing.assert_close(patches.flatten(1, 2), tokens.detach())


def test_a_backbone_without_patches_has_no_patch_features(tiny_run: Run) -> None:
    with pytest.raises(UserError, match="ConvNet, the backbone of this run, has no patches"):
        tiny_run.patches([np.zeros((1, 8, 8), np.uint8)])


def test_the_trained_backbone_is_not_the_untrained_one(tiny_run: Run) -> None:
    weights = [next(model.parameters()) for model in (tiny_run.model(), tiny_run.untrained_model())]
    assert not torch.equal(*weights)


class Pretrained(TinyBackbone):
    """A backbone that starts from the weights in a file."""

    def __init__(self, in_channels: Annotated[int, sslreg.FromRun("in_channels")] = 3, weights: str = "") -> None:
        super().__init__(in_channels)
        if weights and not Path(weights).is_file():
            raise ValueError(f"weights: there is no file {weights}")
        if weights:
            self.load_state_dict(torch.load(weights))


def test_a_run_loads_from_its_checkpoint_after_its_initial_weights_have_moved(tiny_spec: str, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    torch.save(TinyBackbone(1).state_dict(), weights)
    changes = [f"model={{use: simclr, backbone: {{use: pretrained, weights: {weights}}}, projection: [8]}}"]
    with temporary_components(backbone={"pretrained": Pretrained}):
        spec = parse_spec(tiny_spec, "tiny.yaml", [*changes, "trainer.max_steps=1", "evaluate=[{use: knn}]"])
        run = sslreg.train(spec, tmp_path / "run")
        image = torch.zeros(1, 8, 8, dtype=torch.uint8).numpy()
        before = run.embed([image])
        export_backbone(run, Format.safetensors, tmp_path / "b.safetensors")
        weights.rename(tmp_path / "moved.pt")
        assert torch.equal(sslreg.load_run(run.path).embed([image]), before)
        with pytest.raises(UserError, match=r"the weights from which .* started cannot be loaded: .* there is no file"):
            run.starting_model()
        assert evaluate_run(run).by_subject["starting"] == run.summary["baseline"]["starting"]
        run.folder.baselines.unlink()
        metrics = evaluate_run(run)
        assert metrics.by_subject.keys() == {"raw_pixels", "untrained", "starting", "trained"}
        assert metrics.by_subject["starting"] == {}
        assert "there is no file" in metrics.unavailable["starting"]


class Failing(TinyBackbone):
    """A backbone that raises a KeyError once `fails` is set."""

    fails = False

    def forward(self, images: Tensor) -> Tensor:
        return {}["gone"] if self.fails else super().forward(images)


def test_a_backbone_that_fails_is_named_by_everything_that_embeds(
    tiny_spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ["model.backbone={use: failing}", "trainer.max_epochs=1", "trainer.limit_train_batches=1", "evaluate=[]"]
    with temporary_components(backbone={"failing": Failing}):
        run = sslreg.train(parse_spec(tiny_spec, "tiny.yaml", more), tmp_path / "run")
        monkeypatch.setattr(Failing, "fails", True)
        image = Image.new("L", (8, 8))
        uses = [
            lambda: run.embed([image]),
            lambda: embed_split(run, "test"),
            lambda: export_backbone(run, Format.safetensors, tmp_path / "backbone.safetensors"),
            lambda: write_embeddings(run, select_data(run, "test"), tmp_path / "e.npz", device=torch.device("cpu")),
        ]
        for use in uses:
            with pytest.raises(SslregError, match=r"backbone 'failing' of .* raises KeyError: 'gone'"):
                use()


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
