"""sslreg specs"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import sslreg
from sslreg.spec import shipped_specs

SHIPPED = {
    "digits-simclr",
    "digits-moco",
    "digits-swav",
    "digits-dino",
    "cifar10-simclr",
    "cifar10-moco",
    "imagenet-simclr",
    "imagenet-mocov2",
    "folder-simclr",
}


def test_list_prints_a_summary_of_each_spec(cli) -> None:
    specs = json.loads(cli("specs", "list", "--json").out)["specs"]
    assert {spec["name"] for spec in specs} >= SHIPPED
    assert all(len(spec["summary"]) > 20 for spec in specs)


@pytest.mark.parametrize("name", sorted(shipped_specs()))
def test_every_shipped_spec_has_no_warnings(name: str) -> None:
    spec = sslreg.load_spec(name)
    assert (spec.name, spec.warnings) == (name, ())


def test_a_copy_is_the_shipped_spec(cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("specs", "copy", "digits-simclr").status == 0
    copied = sslreg.load_spec("digits-simclr.yaml")
    assert copied.to_dict() == sslreg.load_spec(shipped_specs()["digits-simclr"]).to_dict()


def test_a_copy_points_an_editor_to_the_schema_beside_it(cli, tmp_path: Path) -> None:
    cli("specs", "copy", "digits-simclr", tmp_path)
    first = (tmp_path / "digits-simclr.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=sslreg.schema.json"
    assert "definitions" in json.loads((tmp_path / "sslreg.schema.json").read_text())


def test_a_copy_replaces_nothing_without_force(cli, tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    target.write_text("precious")
    result = cli("specs", "copy", "digits-simclr", target)
    assert (result.status, target.read_text()) == (2, "precious")
    assert "--force" in result.err
    assert cli("specs", "copy", "digits-simclr", target, "--force").status == 0


def test_an_unknown_name_suggests_a_known_one(cli) -> None:
    result = cli("specs", "copy", "digit-simclr")
    assert result.status == 2
    assert "did you mean 'digits-simclr'" in result.err


def test_a_machine_without_memory_is_a_message(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_memory_error() -> None:
        raise MemoryError("Unable to allocate 3 GiB")

    monkeypatch.setattr(sys.modules["sslreg.spec.shipped_specs"], "shipped_specs", raise_memory_error)
    result = cli("specs", "list")
    assert result.status == 1
    assert "the machine has no memory left: Unable to allocate 3 GiB" in result.err
