"""sslreg report"""

from __future__ import annotations

from pathlib import Path

import pytest

from sslreg import Run


def test_the_page_is_written_and_named(cli, tiny_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sslreg.report.report_page.render_report", lambda runs: f"the page of {len(runs)} runs")
    result = cli("report", tiny_run.path, tiny_run.path)
    assert (result.status, result.err) == (0, "")
    assert result.out == "report.html: open it in a browser (0.0 MB)\n"
    assert Path("report.html").read_text() == "the page of 2 runs"


@pytest.mark.parametrize("out", ["report.pdf", "no/such/folder/report.html"])
def test_an_output_that_cannot_be_written_is_refused_first(cli, tmp_path: Path, out: str) -> None:
    result = cli("report", tmp_path, "--out", tmp_path / out)
    assert result.status == 2
    assert "is not the folder of a run" not in result.err


def test_a_folder_that_is_not_a_run_is_refused(cli, tmp_path: Path) -> None:
    result = cli("report", tmp_path, "--out", tmp_path / "report.html")
    assert result.status == 2
    assert "is not the folder of a run" in result.err
    assert not (tmp_path / "report.html").exists()
