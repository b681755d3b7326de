"""sslreg plugins"""

from __future__ import annotations

import json

import pytest

from sslreg.registry import installed


def test_list_contains_every_default_component(cli) -> None:
    result = cli("plugins", "list", "--json")
    listed = {
        (component["kind"], component["name"])
        for plugin in json.loads(result.out)["plugins"]
        for component in plugin["components"]
    }
    assert result.status == 0
    assert listed == {(info.kind, info.name) for info in installed()}
    assert {("loss", "nt_xent"), ("memory_bank", "fifo"), ("model", "simclr"), ("backbone", "resnet18")} <= listed


def test_list_prints_a_table(cli) -> None:
    assert "memory bank: " in cli("plugins", "list").out


def test_show_prints_parameters_with_bounds_and_defaults(cli) -> None:
    out = cli("plugins", "show", "loss/nt_xent").out
    assert "temperature" in out
    assert "0.5" in out
    assert "memory_bank" in out


def test_show_hides_parameters_from_the_run(cli) -> None:
    shown = json.loads(cli("plugins", "show", "memory_bank/fifo", "--json").out)
    assert "size" in {parameter["name"] for parameter in shown["parameters"]}
    assert "dim" not in {parameter["name"] for parameter in shown["parameters"]}


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("loss/nt_xnet", "did you mean 'nt_xent'"),
        ("losses/nt_xent", "did you mean 'loss'"),
        ("nt_xnet", "did you mean 'nt_xent'"),
    ],
)
def test_show_suggests_a_similar_name(cli, asked: str, answer: str) -> None:
    result = cli("plugins", "show", asked)
    assert (result.status, result.out) == (2, "")
    assert answer in result.err


def test_the_kind_may_be_omitted_if_the_name_is_unique(cli) -> None:
    assert cli("plugins", "show", "nt_xent").out == cli("plugins", "show", "loss/nt_xent").out


def test_show_prints_a_deprecation(cli, site) -> None:
    site.install(
        "acme",
        "import sslreg\nsslreg_api = 1\n@sslreg.hookimpl\ndef sslreg_register(registry):\n"
        "    registry.callback('old', 'logging:NullHandler', removed_in='2.0', replacement='new')\n",
    )
    said = "callback 'old' of acme will be removed in version 2.0; use 'new'"
    with pytest.warns(FutureWarning, match="will be removed in version"):
        assert said in cli("plugins", "show", "callback/old").out
    with pytest.warns(FutureWarning, match="will be removed in version"):
        assert json.loads(cli("plugins", "show", "callback/old", "--json").out)["deprecation"] == said


def test_an_unknown_kind_is_refused(cli) -> None:
    assert "error[unknown-kind]" in cli("plugins", "show", "foo/nt_xent").err


HOSTILE = """
import sslreg

sslreg_api = 1


class Meta(type):
    def __getattribute__(cls, name):
        if name == "__doc__":
            raise RuntimeError("no documentation")
        return super().__getattribute__(name)

    def __repr__(cls):
        raise RuntimeError("no text")


class Default:
    def __repr__(self):
        raise RuntimeError("no text")


class Hostile(metaclass=Meta):
    __doc__ = 7

    def __init__(self, size: int = Default()) -> None: ...


@sslreg.hookimpl
def sslreg_register(registry):
    registry.loss("hostile", f"{__name__}:Hostile", summary="hostile")
"""


def test_a_component_whose_text_raises_is_listed_and_shown(cli, site, spec_file) -> None:
    site.install("hostile", HOSTILE)
    assert "hostile" in cli("plugins", "list").out
    for command in (("plugins", "show", "loss/hostile"), ("plugins", "show", "loss/hostile", "--json"), ("schema",)):
        result = cli(*command)
        assert "hostile" in result.out
        assert "Traceback" not in result.err
    assert cli("check", spec_file).status == 0
