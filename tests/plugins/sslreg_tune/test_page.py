"""The page of a study, with hostile names, and in a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sslreg_tune.effects import Interval
from sslreg_tune.page import render_results, write_page
from sslreg_tune.results import Combination, collect_results

#: A text that breaks out of a page that does not escape it.
NASTY = "\"'><script>alert(1)</script>\x1b[31m"


def test_the_page_shows_everything(studies: Any, tmp_path: Path) -> None:
    (tmp_path / "best.yaml").write_text("extends: mine.yaml  # <elastic>\n")
    page = write_page(tmp_path, studies.make_results(tmp_path, final=studies.make_final())).read_text()
    assert "few_shot_1: 0.71\u00a0±\u00a0.02 → 0.78\u00a0±\u00a0.02" in page
    assert re.search(r'aria-label="flip: −\.\d+ ± \.\d+, harms"', page)
    assert '<th scope="row">difference</th><td>+.07 ± .03</td>' in page
    assert "winner 0.250 ± 0.030" in page
    assert '<a href="trials/0003">3</a>' in page
    assert "the loss is not finite" in page
    assert "extends: mine.yaml  # &lt;elastic&gt;" in page
    assert not re.search(r'(src|href)="(?!data:|#|trials/)', page)


def test_hostile_names_are_escaped(studies: Any, tmp_path: Path) -> None:
    results = studies.make_results(tmp_path, final=studies.make_final(figure=NASTY))
    trials = [replace(trial, change=NASTY, reason=NASTY, path=NASTY) for trial in results.trials]
    effects = [replace(effect, name=NASTY, change=NASTY) for effect in results.effects]
    page = render_results(replace(results, name=NASTY, figure=NASTY, trials=trials, effects=effects), NASTY)
    assert "<script" not in page
    assert "\x1b" not in page
    assert 'href="%22%27%3E%3Cscript%3E' in page


def test_a_page_of_an_unfinished_study(studies: Any, tmp_path: Path) -> None:
    page = write_page(tmp_path, collect_results(tmp_path, studies.make_config(), [])).read_text()
    assert "no trial has finished" in page
    assert "Not known: needs 8 different judged trials." in page
    assert "best.yaml" not in page


def test_combinations_are_shown_instead_of_effects(studies: Any, tmp_path: Path) -> None:
    combinations = [
        Combination("width 16", Interval.around(0.8, 0.02), (0, 1), (0, 1)),
        Combination("b", None, (2,), ()),
    ]
    results = replace(studies.make_results(tmp_path), effects=[], combinations=combinations)
    page = render_results(results, None)
    assert 'aria-label="width 16: 0.80 ± .02, 2 seeds"' in page
    assert 'id="effects"' not in page
    assert ", seed 0</td>" in page


@pytest.mark.slow
@pytest.mark.parametrize("width", [1300, 390])
def test_the_page_fits_the_window(studies: Any, tmp_path: Path, browser: Any, width: int) -> None:
    results = studies.make_results(tmp_path, final=studies.make_final())
    effects = [replace(results.effects[0], name="model.backbone." + "a_very_long_name" * 4), *results.effects[1:]]
    path = write_page(tmp_path, replace(results, effects=effects))
    browser.set_window_size(width, 900)
    browser.get("about:blank")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    browser.get(path.as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert not browser.get_log("browser")
