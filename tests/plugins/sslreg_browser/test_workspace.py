from __future__ import annotations

from pathlib import Path

import pytest

import sslreg
from sslreg_browser.workspace import RunNumbers, open_workspace


def test_a_spec_a_run_and_a_folder_of_runs_can_be_opened(tiny_run: sslreg.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_run.path.parent)
    opened = open_workspace("digits-simclr")
    assert (opened.spec, opened.runs, opened.run) == ("digits-simclr", None, None)
    opened = open_workspace(str(tiny_run.path))
    assert (opened.spec, opened.runs, opened.run) == (None, tiny_run.path, tiny_run.path)
    assert opened.run_numbers.path(0) == tiny_run.path
    opened = open_workspace(".")
    assert (opened.spec, opened.runs, opened.run) == (None, Path(), None)


def test_a_spec_is_opened_with_the_runs_next_to_it(tiny_run: sslreg.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_run.path.parent)
    monkeypatch.setattr("sslreg_browser.workspace.DEFAULT", tiny_run.path.name)
    assert open_workspace("digits-simclr").runs == Path(tiny_run.path.name)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("runs", "there is no folder runs"),
        ("empty", "there is no run in empty"),
        ("nowhere", "there is no spec 'nowhere'"),
        ("broken.yaml", "has no key 'nothing'"),
    ],
)
def test_what_cannot_be_opened_is_one_message(
    target: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.yaml").write_text("version: 1\nnothing: 1\n")
    with pytest.raises(sslreg.UserError, match=message):
        open_workspace(target)


def test_a_run_keeps_its_number() -> None:
    numbers = RunNumbers()
    assert [numbers.number(Path(name)) for name in ("a", "b", "a")] == [0, 1, 0]
    assert numbers.path(1) == Path("b")


@pytest.mark.parametrize("number", [-1, 2, 10**9])
def test_a_number_that_was_not_given_out_names_no_run(number: int) -> None:
    numbers = RunNumbers()
    numbers.number(Path("a"))
    with pytest.raises(sslreg.UserError, match="no run number"):
        numbers.path(number)
