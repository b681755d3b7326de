"""The untrained backbone is evaluated without a run, and trials of the spec reuse the result."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

import sslreg
from sslreg import UserError
from sslreg.runs import baselines_file
from sslreg.spec import parse_spec


@pytest.fixture(autouse=True)
def separate_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLREG_BASELINE_CACHE", "on")
    # A new XDG_CACHE_HOME would compile the kernels again.
    monkeypatch.setattr(baselines_file, "user_cache_path", lambda _, digest, end: tmp_path / f"{digest[0]}{end}")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def test_a_run_has_the_same_metrics_of_the_untrained_backbone_and_reuses_them(tiny_spec: str, tmp_path: Path) -> None:
    spec = parse_spec(tiny_spec, overrides=["trainer.max_steps=1"])
    metrics = sslreg.evaluate_untrained(spec, console=Console(file=io.StringIO()))
    assert list(Path().iterdir()) == []
    output = io.StringIO()
    run = sslreg.train(spec, tmp_path / "run", console=Console(file=output, width=200))
    assert metrics == run.summary["baseline"]["untrained"]
    assert "reusing the metrics of the untrained backbone for few_shot, neighbors" in output.getvalue()
    assert "reusing the metrics of raw pixels for few_shot, neighbors" in output.getvalue()


def test_a_spec_without_evaluators_has_no_metrics(tiny_spec: str) -> None:
    assert sslreg.evaluate_untrained(parse_spec(tiny_spec, overrides=["evaluate=[]"])) == {}


def test_an_evaluator_that_cannot_evaluate_the_data_is_an_error(tiny_spec: str) -> None:
    spec = parse_spec(tiny_spec, overrides=["evaluate=[{use: few_shot, shots: [1000]}]"])
    with pytest.raises(UserError, match="1000 needs that many samples"):
        sslreg.evaluate_untrained(spec, console=Console(file=io.StringIO()))
