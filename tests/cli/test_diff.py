"""sslreg diff and sslreg schema"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from sslreg import Run


def test_different_specs_differ_in_values(cli) -> None:
    found = json.loads(cli("diff", "digits-simclr", "digits-moco", "--json").out)["differences"]
    paths = {difference["path"]: difference for difference in found}
    assert paths["name"] == {"path": "name", "before": "digits-simclr", "after": "digits-moco"}
    assert "model" in paths
    assert "seed" not in paths


def test_a_run_does_not_differ_from_itself(cli, tiny_run: Run) -> None:
    assert cli("diff", tiny_run.path, tiny_run.path).out == "no difference\n"


def test_a_run_and_a_spec_are_compared_without_versions(cli, tiny_run: Run) -> None:
    assert cli("diff", tiny_run.folder.resolved_spec, tiny_run.path).out == "no difference\n"


def test_the_versions_of_two_runs_are_compared(cli, tiny_run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_run.path, other)
    lock = json.loads((other / "lock.json").read_text())
    (other / "lock.json").write_text(json.dumps(lock | {"torch": "1.0"}))
    (change,) = json.loads(cli("diff", tiny_run.path, other, "--json").out)["differences"]
    assert change == {"path": "lock.torch", "before": lock["torch"], "after": "1.0"}


def test_the_schema_is_written_to_a_file(cli, tmp_path: Path) -> None:
    out = tmp_path / "s.json"
    assert f"$schema={out}" in cli("schema", "--out", out).out.replace("\n", "")
    assert json.loads(out.read_text()) == json.loads(cli("schema").out)


def test_a_schema_in_a_missing_folder_is_refused(cli, tmp_path: Path) -> None:
    result = cli("schema", "--out", tmp_path / "no" / "s.json")
    assert result.status == 2
    assert "there is no folder" in result.err
