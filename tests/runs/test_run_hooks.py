"""Plugins hear that a run has ended."""

from __future__ import annotations

import sslreg
from sslreg.runs.run_hooks import call_run_finished, collect_summary_lines

PLUGIN = """
import sslreg
sslreg_api = 1
@sslreg.hookimpl
def sslreg_run_finished(run):
    {does}
"""


def test_every_plugin_is_told_and_one_that_raises_fails_nothing(site, tiny_run: sslreg.Run, caplog) -> None:
    site.install("acme", PLUGIN.format(does="raise SystemExit('bye')"))
    site.install("other", PLUGIN.format(does="(run.path / 'told.txt').write_text(run.summary['status'])"))
    call_run_finished(tiny_run)
    assert (tiny_run.path / "told.txt").read_text() == "finished"
    assert caplog.messages == ["plugin 'acme' (acme 1.0) could not react to the end of the run: SystemExit: bye"]


def test_plugins_add_lines_to_the_summary(site, tiny_run: sslreg.Run, caplog) -> None:
    plugin = PLUGIN.replace("sslreg_run_finished(run)", "sslreg_run_summary(run, lines)")
    site.install("acme", plugin.format(does="raise SystemExit('bye')"))
    site.install("other", plugin.format(does="lines.append(f'{run.path.name} is done')"))
    lines = collect_summary_lines(tiny_run)
    assert "tiny is done" in lines
    assert any(line.startswith("loss ") for line in lines)  # of the default plugin that draws curves
    assert caplog.messages == ["plugin 'acme' (acme 1.0) could not add to the run's summary: SystemExit: bye"]
