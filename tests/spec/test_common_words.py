"""Hints for words that users of other libraries write."""

import pytest

from sslreg.errors import UserError
from sslreg.spec import load_spec, parse_spec


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("epochs=10", "trainer: {max_epochs"),
        ("trainer.epochs=10", "max_epochs"),
        ("lr=0.1", "optimizer: {use"),
        ("backbone={use: convnet}", "model: {use"),
        ("data.val={use: digits}", "`test`"),
        ("val={use: digits}", "data: {test"),
        ("views.0.augment.0={use: hflip}", "'horizontal_flip'"),
        ("views.0.augment.0={use: RandomHorizontalFlip}", "'horizontal_flip'"),
        ("views.0.augment.0={use: cutout}", "'random_resized_crop'"),
        ("views.0.augment.0={use: RandAugment}", "'one_of'"),
        ("model.backbone={use: vit_small_patch16_224}", "'timm'"),
        ("loggers=tensorboard", "[{use: tensorboard}]"),
        ("model.backbone={use: resnet18, weights: true}", "IMAGENET1K_V1"),
    ],
)
def test_a_common_word_gets_a_hint(override: str, hint: str) -> None:
    with pytest.raises(UserError) as refused:
        load_spec("digits-simclr", [override])
    assert hint in (refused.value.diagnostics[0].hint or "")


@pytest.mark.parametrize(
    "overrides",
    [
        ["seed=1", "trainer.max_epochs=2"],
        ["seed=1", "trainer.devices=3"],
        ["seed=1", "model={use: moco, backbone: {use: convnet}}", "loss.use=sup_con"],
        ["seed=1", "views.0.repeat=1"],
    ],
)
def test_a_mistake_that_an_override_causes_is_at_the_override(overrides: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        load_spec("digits-simclr", overrides)
    assert all((found.file, found.line) == ("--set", len(overrides)) for found in refused.value.diagnostics)


def test_a_shorter_training_comes_with_the_override_that_shortens_the_warm_up() -> None:
    with pytest.raises(UserError) as refused:
        load_spec("digits-simclr", ["trainer.max_epochs=2"])
    hint = refused.value.diagnostics[0].hint or ""
    load_spec("digits-simclr", ["trainer.max_epochs=2", hint.split("--set ")[1]])


def test_a_large_file_is_refused_without_being_parsed(tmp_path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("# comment\n" * 200_000)
    with pytest.raises(UserError, match="larger than 1 MB"):
        load_spec(path)
    with pytest.raises(UserError, match="larger than 1 MB"):
        parse_spec("# comment\n" * 200_000)
