"""best.yaml: what changed, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sslreg
from sslreg_tune.best_spec import describe_search, write_best_spec
from sslreg_tune.parameters import Values
from sslreg_tune.search_space import SearchSpace, build_search_space

MINE = """\
extends: digits-simclr
name: mine
views:
  - repeat: 2
    augment:
      - {use: resize, size: [16, 16]}
      - {use: horizontal_flip, p: 0.5}
      - {use: color_jitter, brightness: 0.4, contrast: 0.4}
"""
OVER = ["loss.temperature=0.1..0.9", "optimizer={use: sgd, lr: 0.1},{use: adamw, lr: 2e-3, weight_decay: 1e-4}"]
OVERRIDES = ["trainer.max_epochs=5"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "specs").mkdir()
    path = tmp_path / "specs" / "mine.yaml"
    path.write_text(MINE)
    return path


@pytest.fixture
def space(source: Path) -> SearchSpace:
    return build_search_space(sslreg.load_spec(source, OVERRIDES), OVER, views=True, overrides=OVERRIDES)


def change(space: SearchSpace, **changes: object) -> Values:
    assert space.starting is not None
    return {**space.starting, **changes}


def test_every_changed_value_has_a_comment(cli, source: Path, space: SearchSpace, tmp_path: Path) -> None:
    values = change(
        space,
        **{
            "loss.temperature": 0.2,
            "horizontal_flip": "off",
            "color_jitter_contrast": "off",
            "elastic": "scaled",
            "elastic.strength": 0.4,
        },
    )
    heading = describe_search("digits", 40, "few_shot_5", 0.71, 0.7833)
    effects = {"horizontal_flip": "-.09 ± .03", "loss.temperature": "+.01 ± .02"}
    path = tmp_path / "best.yaml"
    best = write_best_spec(path, str(source), OVERRIDES, space, values, heading=heading, effects=effects)
    assert path.read_text() == (
        """\
# Found by sslreg tune in 40 trials of the study digits.
# few_shot_5 on the data that judged the trials: 0.71 -> 0.7833.
extends: specs/mine.yaml
version: 1
# so that its runs are not taken for those of the starting spec
name: mine-best
views:
  - repeat: 2
    # horizontal_flip: off, before: on; effect -.09 ± .03
    augment:
      - {use: resize, size: [16, 16]}
      # elastic: strength .40, before: off
      - {use: elastic, alpha: 4.366, sigma: 1.333}
      # color_jitter_contrast: off, before: on
      - {use: color_jitter, brightness: 0.4}
loss:
  # before: 0.5; effect +.01 ± .02
  temperature: 0.2
trainer:
  # set by --set
  max_epochs: 5
"""
    )
    wanted = sslreg.load_spec(source, [*OVERRIDES, *space.overrides(values), "name=mine-best"])
    assert best.to_dict() == wanted.to_dict()
    assert cli("check", path).status == 0


def test_the_difference_from_the_starting_spec_is_the_change(
    cli, source: Path, space: SearchSpace, tmp_path: Path
) -> None:
    path = tmp_path / "best.yaml"
    write_best_spec(path, str(source), OVERRIDES, space, change(space, **{"loss.temperature": 0.2}))
    differences = json.loads(cli("diff", source, path, "--json").out)["differences"]
    assert [difference["path"] for difference in differences] == ["name", "loss.temperature", "trainer.max_epochs"]


def test_a_spec_that_cannot_be_extended_is_copied(source: Path, space: SearchSpace, tmp_path: Path) -> None:
    values = change(space, optimizer={"use": "sgd", "lr": 0.1})
    best = write_best_spec(tmp_path / "best.yaml", str(source), OVERRIDES, space, values)
    text = (tmp_path / "best.yaml").read_text()
    assert "`extends` cannot remove" in text
    assert "# before: {use: adamw, lr: 0.002, weight_decay: 0.0001}\noptimizer: {use: sgd, lr: 0.1}\n" in text
    assert best.optimizer.params == {"lr": 0.1}


def test_shipped_specs_are_extended_by_name_and_expect_nothing(tmp_path: Path) -> None:
    space = build_search_space(sslreg.load_spec("imagenette-dino"), ["loss.teacher_temperature=0.01..0.1"])
    values = {"loss.teacher_temperature": 0.02}
    best = write_best_spec(tmp_path / "best.yaml", "imagenette-dino", [], space, values)
    assert (tmp_path / "best.yaml").read_text().startswith("extends: imagenette-dino\n")
    assert best.loss.params["teacher_temperature"] == 0.02
    assert best.expect == {}


def test_only_views_that_change_have_comments(tmp_path: Path) -> None:
    space = build_search_space(sslreg.load_spec("imagenette-dino"), views=True)
    values = change(space, **{"solarize": "scaled", "solarize.strength": 0.4, "grayscale": "off"})
    write_best_spec(tmp_path / "best.yaml", "imagenette-dino", [], space, values)
    text = (tmp_path / "best.yaml").read_text()
    assert text.count("# solarize: strength .40, before: on") == 1
    assert text.count("# grayscale: off, before: on\n    augment:") == 3
