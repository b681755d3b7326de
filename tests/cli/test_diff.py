"""sslreg diff and sslreg schema"""

from __future__ import annotations

import json
from pathlib import Path

from sslreg import Run


def test_two_shipped_specs_differ_in_values(cli) -> None:
    found = json.loads(cli("diff", "digits-simclr", "digits-moco", "--json").out)["differences"]
    paths = {difference["path"]: difference for difference in found}
    assert paths["name"] == {"path": "name", "before": "digits-simclr", "after": "digits-moco"}
    assert "model" in paths
    assert "seed" not in paths


def test_a_run_differs_from_itself_in_nothing(cli, tiny_run: Run) -> None:
    assert cli("diff", tiny_run.path, tiny_run.path).out == "no difference\n"


def test_a_run_and_a_spec_can_be_compared(cli, tiny_run: Run) -> None:
    out = cli("diff", tiny_run.folder.spec, tiny_run.path).out
    assert "lock" in out
    assert "temperature" not in out


def test_the_schema_goes_to_a_file_with_the_line_that_uses_it(cli, tmp_path: Path) -> None:
    out = tmp_path / "s.json"
    assert f"$schema={out}" in cli("schema", "--out", out).out.replace("\n", "")
    assert json.loads(out.read_text()) == json.loads(cli("schema").out)
