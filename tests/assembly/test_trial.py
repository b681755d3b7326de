"""Refusals of specs that training could not run, before anything is read, written or downloaded."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import sslreg
from sslreg.assembly import try_spec
from sslreg.errors import UserError
from sslreg.spec import load_spec, shipped_specs
from sslreg.testing.temporary_components import temporary_components
from sslreg_models.simclr import SimCLR

without_gpu = pytest.mark.skipif(
    torch.cuda.is_available() or torch.backends.mps.is_available(), reason="about machines without a GPU"
)


def refusal(spec, *overrides: str) -> tuple[str, int]:
    """Return the only message of the refusal, and the line of the override at which it is (0: another place)."""
    with pytest.raises(UserError) as refused:
        try_spec(spec(*overrides))
    (diagnostic,) = refused.value.diagnostics
    assert diagnostic.line
    assert diagnostic.hint or diagnostic.code in ("bad-value", "augmentation")
    return diagnostic.message, diagnostic.line if diagnostic.file == "--set" else 0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("views.0.augment.0.scale=[1.0, 0.4]", "must rise"),
        ("views.0.augment.0={use: random_resized_crop, size: 8, scale: [1.0, 0.4]}", "must rise"),
        ("views.0.augment.1={use: normalize}", "give either stats, or both mean and std"),
        ("views.0.augment.1={use: normalize, mean: [1, 2, 3], std: [1, 1, 1]}", "there are images of 1"),
        ("views.0.augment.1={use: normalize, stats: imagenet}", "there are images of 1"),
        ("views.0.augment.1={use: normalize, mean: 0.5, std: 0}", "must be above zero"),
        ("embed_view=[{use: normalize, stats: imagenet}]", "there are images of 1"),
        ("embed_view=[{use: gaussian_blur, sigma: [2, 1]}]", "must rise"),
        ("trainer.accelerator=tpu", "TPUs are not supported"),
        ("trainer.accelerator=nonsense", "there is no accelerator 'nonsense'"),
        ("trainer.devices=0", "at least 1"),
        ("trainer.devices=[]", "devices is the number of processes"),
        ("trainer.devices=nope", "names no devices"),
        ("trainer.strategy=nonsense", "'nonsense' is not supported"),
        ("trainer.strategy=fsdp", "'fsdp' needs NVIDIA GPUs"),
        ("trainer.precision=transformer-engine", "needs an NVIDIA GPU"),
        ("trainer.max_epochs=null", "does not say how long to train"),
        ("data.test=null", "no data set to evaluate on"),
        ("data.batch_size=1", "batch normalization needs more than one value per channel"),
        ("data.batch_size=1000000000", "the views of a batch take"),
        ("views.0.augment.0.size=100000", "the views of a batch take"),
        ("model.projection=[9999999999999]", "GB of memory"),
        ("model.projection=[9999999999999, 9999999999999]", "overflow"),
        ("model.backbone.width=1000000000", "overflow"),
        ("model.backbone={use: resnet18, stem: small, image_size: 8}", "set by the run"),
        ("model.backbone={use: vgg11, stem: small}", "stem: small is for ResNets"),
        ("loss.memory_bank={use: fifo, size: 100000000000}", "GB of memory"),
        ("loss.negatives=bank", "needs a memory_bank"),
        ("optimizer={use: sgd, lr: 0.1, nesterov: true}", "Nesterov"),
        ("optimizer={use: adamw, foreach: true, fused: true}", "cannot be `True` together"),
        ("schedule=[{use: cosine}, {use: cosine_weight_decay, end: 0.4}]", "the optimizer has no weight decay"),
        ("checkpoint.best=nope", "provides the figure 'nope'"),
        ("checkpoint.best=neighbors_nope", "provides the figure 'neighbors_nope'"),
        ("checkpoint.best=knn_top1", "provides the figure 'knn_top1'"),
    ],
)
def test_a_spec_that_training_would_refuse_is_refused_at_its_place(spec, override: str, message: str) -> None:
    found, _ = refusal(spec, override)
    assert message in found


@pytest.mark.parametrize("precision", ["bf16-true", "16-true"])
def test_a_momentum_encoder_in_half_precision_is_refused(spec, precision: str) -> None:
    message, line = refusal(spec, "model.use=moco", f"trainer.precision={precision}")
    assert f"the momentum encoder of moco does not move in {precision}" in message
    assert line


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["model.use=moco", "loss={use: nt_xent, symmetric: true}"], "loss={use: nt_xent, symmetric: true}"),
        (["model.use=moco"], "loss: {use: nt_xent"),
        (["model.use=moco", "loss={use: nt_xent, symmetric: false}"], None),
        (["model.use=moco", "loss.memory_bank={use: fifo, size: 100}"], None),
        (["loss.symmetric=true"], None),
    ],
)
def test_a_symmetric_loss_of_views_without_a_gradient_causes_a_warning(
    spec, overrides: list[str], line: str | None
) -> None:
    loaded = spec(*overrides)
    warnings = try_spec(loaded)
    if line is None:
        assert warnings == ()
        return
    (warning,) = warnings
    assert (warning.code, warning.severity) == ("symmetric-loss", "warning")
    assert "loss 'nt_xent' is symmetric, but model 'moco' gives it views without a gradient" in warning.message
    assert warning.line
    assert line in loaded.sources[warning.file or ""].splitlines()[warning.line - 1]


def test_synchronized_batch_normalization_sees_the_batch_of_all_processes(spec) -> None:
    alone = ("data.batch_size=2", "trainer.devices=2", "trainer.accelerator=cpu")
    assert "a device gets 1 sample" in refusal(spec, *alone)[0]
    try_spec(spec(*alone, "trainer.sync_batchnorm=true"))


@without_gpu
@pytest.mark.parametrize("accelerator", ["auto", "cpu", "gpu", "cuda", "mps"])
def test_accelerator_and_precision_are_judged_for_this_machine(spec, accelerator: str) -> None:
    override = f"trainer.accelerator={accelerator}"
    if accelerator in ("gpu", "cuda", "mps"):
        assert "this machine has no" in refusal(spec, override)[0]
    else:
        message, line = refusal(spec, override, "trainer.precision=16-mixed")
        assert "needs a GPU" in message
        assert line == 2


def test_all_mistakes_are_reported_at_once(spec) -> None:
    with pytest.raises(UserError) as refused:
        try_spec(spec("trainer.accelerator=tpu", "data.test=null", "views.0.augment.1={use: normalize}"))
    assert len(refused.value.diagnostics) == 3


def test_a_mistake_in_an_override_is_at_the_override(spec) -> None:
    assert refusal(spec, "seed=1", "trainer.accelerator=tpu")[1] == 2


@pytest.mark.parametrize("name", ["neighbors_top1", "few_shot_1"])
def test_a_figure_of_an_evaluator_can_choose_the_best_checkpoint(spec, name: str) -> None:
    try_spec(spec(f"checkpoint.best={name}"))


def test_what_depends_on_the_size_of_the_data_is_left_to_training(spec) -> None:
    try_spec(spec("views.0.augment.0={use: center_crop, size: 1000}"))


def test_shipped_specs_are_accepted_without_network_or_files(tmp_path: Path, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a trial opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.chdir(tmp_path)
    for name in shipped_specs():
        assert try_spec(load_spec(name)) == ()
    try_spec(load_spec("imagenet-simclr", ["model.backbone.weights=DEFAULT"]))
    assert not list(tmp_path.iterdir())


def test_a_trial_changes_no_random_state(spec) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    try_spec(spec("loss.memory_bank={use: fifo, size: 100, fill: random}"))
    assert torch.equal(before, torch.get_rng_state())


def test_a_giant_model_is_refused_at_once(spec) -> None:
    start = time.process_time()
    refusal(spec, "model.projection=[9999999999999]")
    assert time.process_time() - start < 5


class Taught(SimCLR):
    def __init__(self, backbone: sslreg.Backbone, teacher: sslreg.Backbone) -> None:
        super().__init__(backbone)
        self.teacher = sslreg.frozen(teacher)


def test_the_weights_of_a_frozen_teacher_need_memory(spec) -> None:
    giant = "model={use: taught, backbone: {use: convnet}, teacher: {use: convnet, width: 200000}}"
    with temporary_components(model={"taught": Taught}):
        assert "the model with its gradients would take" in refusal(spec, giant)[0]


def test_a_teacher_with_random_weights_causes_a_warning_at_its_place(spec) -> None:
    teachers = ("{use: resnet18}", "{use: resnet18, weights: teacher.pth}")
    with temporary_components(model={"taught": Taught}):
        random, loaded = (
            try_spec(spec(f"model={{use: taught, backbone: {{use: convnet}}, teacher: {teacher}}}"))
            for teacher in teachers
        )
    (warning,) = random
    assert (warning.code, warning.severity) == ("random-teacher", "warning")
    assert warning.message.startswith("resnet18 is a frozen teacher with random weights")
    assert warning.hint == "set weights, for example teacher: {use: resnet18, weights: FILE}"
    assert loaded == ()


def test_kernels_are_not_compiled_for_a_trial(tiny_spec: str) -> None:
    program = (
        "import sys, sslreg.spec, sslreg.assembly\n"
        "spec = sslreg.spec.load_spec('imagenet-simclr')\n"
        "sslreg.assembly.try_spec(spec)\n"
        "print({'numba'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"
    assert sslreg.may_compile()


VIT = "model.backbone={use: vit, patch_size: 4, width: 8, depth: 1, heads: 2}"


def test_gradient_checkpointing_is_accepted_for_a_vision_transformer() -> None:
    assert try_spec(load_spec("digits-simclr", [VIT, "engine.gradient_checkpointing=true"])) == ()


@pytest.mark.parametrize(
    ("backbone", "reason"),
    [
        ("{use: convnet}", "ConvNet does not support gradient checkpointing"),
        ("{use: timm, name: resnet10t}", "resnet10t has batch normalization, whose running statistics"),
    ],
)
def test_gradient_checkpointing_is_refused_at_its_key(spec, backbone: str, reason: str) -> None:
    message, line = refusal(spec, f"model.backbone={backbone}", "engine.gradient_checkpointing=true")
    assert message.startswith(reason)
    assert line == 2


@pytest.mark.parametrize(
    ("backbone", "sizes", "message"),
    [
        ("{use: vit_b_16}", (100, 96), "images of 100x100 pixels do not divide into patches of 16x16; .* such as 112"),
        ("{use: timm, name: test_vit}", (100, 96), "shape .* = .1, 100, 100.: images of 100x100 pixels do not divide"),
        ("{use: vit, patch_size: 14}", (112, 96), "images of 96x96 pixels do not divide into patches of 14x14"),
    ],
)
def test_views_that_do_not_divide_into_patches_are_refused(backbone: str, sizes: tuple[int, int], message: str) -> None:
    overrides = [f"model.backbone={backbone}"]
    overrides += [f"views.0.augment.0.size=[{sizes[0]}, {sizes[0]}]", f"views.1.augment.0.size={sizes[1]}"]
    with pytest.raises(UserError, match=message):
        try_spec(load_spec("digits-dino", overrides))
