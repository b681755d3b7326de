"""sslreg tune"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sslreg
from sslreg_tune import command

SEARCH = (
    *("--by", "few_shot_1", "--over", "loss.temperature=0.2..1:log", "--views"),
    *("--set", "trainer.max_steps=2", "--set", "data.test.subset=50"),
)


@pytest.fixture
def spec(tiny_spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a spec whose training is short, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    Path("mine.yaml").write_text(tiny_spec, encoding="utf-8")
    return Path("mine.yaml")


def test_a_search_ends_with_effects_a_page_and_a_better_spec(cli, spec: Path) -> None:
    result = cli("tune", spec, *SEARCH, "--trials", 3, "--seeds", 1)
    assert result.status == 0, result.err
    folder = Path("studies/tiny")
    assert {path.name for path in folder.iterdir()} >= {"best.yaml", "report.html", "results.json"}
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert [trial["state"] for trial in results["trials"]] == ["finished"] * 3
    assert results["sentence"] in result.out
    assert cli("check", folder / "best.yaml").status == 0
    assert max(map(len, result.out.splitlines())) <= 60
    assert "data.validation" not in (folder / "best.yaml").read_text(encoding="utf-8")
    runs = [sslreg.load_run(folder / trial["path"]) for trial in results["trials"]]
    assert {run.spec.data.validation for run in runs} == {0.3}

    again = json.loads(cli("tune", spec, *SEARCH, "--trials", 3, "--seeds", 1, "--json").out)
    assert again == results

    other = cli("tune", spec, *SEARCH, "--trials", 3, "--lowest")
    assert other.status == 2
    assert "was started with another value of --by" in other.err


def test_a_grid_is_trained_completely_and_continues_with_more_seeds(cli, spec: Path) -> None:
    for seeds in (1, 2):
        result = cli(
            *("tune", spec, "--by", "few_shot_1", "--over", "loss.temperature=0.2,1.0", "--grid", "--seeds", seeds),
            *("--set", "trainer.max_steps=2", "--set", "evaluate=[{use: few_shot}]", "--out", "grid"),
        )
        assert result.status == 0, result.err
    runs = sorted(Path("grid/trials").iterdir())
    specs = [sslreg.load_run(run).spec for run in runs]
    assert sorted((spec.loss.params["temperature"], spec.seed) for spec in specs) == [
        *((0.2, 0), (0.2, 1)),
        *((1.0, 0), (1.0, 1)),
    ]
    assert not Path("grid/final").exists()


def test_seeds_of_one_spec_are_judged_on_the_test_set(cli, spec: Path) -> None:
    result = cli("tune", spec, "--by", "few_shot_1", "--seeds", 2, "--set", "trainer.max_steps=2", "--out", "seeds")
    assert result.status == 0, result.err
    specs = [sslreg.load_run(run).spec for run in sorted(Path("seeds/trials").iterdir())]
    assert [(one.seed, one.data.validation) for one in specs] == [(0, None), (1, None)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "there is nothing to search"),
        (("--grid",), "there is nothing to search"),
        (("--views", "--validation", 1.5), "--validation 1.5 is not a share"),
        (("--over", "loss.temprature=0.1..1"), "did you mean 'temperature'?"),
        (("--over", "loss.temperature=1..0.1"), "the range is inverted"),
        (("--over", "loss.temperature=0.1,1", "--grid", "--trials", 3), "limit a search"),
        (("--by", "few_shot_7", "--views"), "few_shot_7"),
        (("--views", "--storage", "postgresql://nobody@127.0.0.1:1/none"), "127.0.0.1"),
    ],
)
def test_a_mistake_is_one_message_before_any_run(cli, spec: Path, arguments: tuple[object, ...], message: str) -> None:
    by = () if "--by" in arguments else ("--by", "few_shot_1")
    result = cli("tune", spec, *by, *arguments)
    assert result.status in (1, 2)
    assert message in " ".join(result.err.split())
    assert "Traceback" not in result.err
    assert not list(Path().rglob("lock.json"))


def test_without_optuna_the_message_says_what_to_install(cli, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None)
    result = cli("tune", spec, "--by", "few_shot_1", "--views")
    assert result.status == 2
    assert "pip install 'sslreg[tune]'" in result.err
