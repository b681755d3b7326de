"""A mutated spec gives a spec or errors with locations, never another exception.

``SSLREG_MUTATIONS=5000`` in the environment tries that many mutations instead of the default number.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from sslreg.errors import UserError
from sslreg.registry import installed
from sslreg.spec import Spec, parse_spec, shipped_specs
from sslreg.spec.diagnostic_rendering import format_for_github, render

MUTATIONS = int(os.environ.get("SSLREG_MUTATIONS", "150"))

#: Pieces of text that a typo, a bad merge or an attack may put into a spec.
PIECES = st.sampled_from(
    """
    null|true|no|0|-1|1e-3|1e999|.nan|0o17|''|'128'|[]|{}|[[]]|{use: knn}|use:|use: |: |- |, |
    }|{|]|[|"|'|#|&a |*a|!!str |%|@|`|\t|\n|\n\n  |---\n|...\n|<<: |? ||||>|\\|\0|\ufeff|\u2028|\U0001f600|
    ${name}|${loss}|${views.0}|${env:HOME}|${env:NOPE}|${|extends: digits-simclr\n|extends: .\n|version: 2\n
    """.replace("    ", "").split("|")
)


@st.composite
def edits(draw, text: str) -> str:
    for _ in range(draw(st.integers(1, 4))):
        lines = text.splitlines(keepends=True) or [""]
        first, second = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        start = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 12))
        match draw(st.sampled_from(["insert", "replace", "cut", "copy line", "move line", "indent", "swap words"])):
            case "insert":
                text = text[:start] + draw(PIECES) + text[start:]
            case "replace":
                text = text[:start] + draw(PIECES) + text[start + length :]
            case "cut":
                text = text[:start] + text[start + length :]
            case "copy line":
                lines.insert(second, lines[first])
                text = "".join(lines)
            case "move line":
                lines.insert(second, lines.pop(first))
                text = "".join(lines)
            case "indent":
                lines[first] = draw(st.sampled_from(["  ", " ", "\t", "- "])) + lines[first]
                text = "".join(lines)
            case "swap words":
                words = text.split(" ")
                one, other = (draw(st.integers(0, len(words) - 1)) for _ in range(2))
                words[one], words[other] = words[other], words[one]
                text = " ".join(words)
    return text


def answer(text, catalog, overrides=()):
    """Load a spec, or return its error after checking that all diagnostics are located and can be rendered."""
    try:
        spec = parse_spec(text, overrides=overrides, catalog=catalog)
    except UserError as error:
        refusal = error
    else:
        assert parse_spec(spec.to_yaml(), catalog=catalog).to_dict() == spec.to_dict()
        return spec
    assert refusal.diagnostics
    assert all(found.file and found.line and found.column for found in refusal.diagnostics)
    assert all(format_for_github(found) for found in refusal.diagnostics)
    assert render(refusal.diagnostics, refusal.sources).plain
    return refusal


quickly = settings(
    max_examples=MUTATIONS, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@quickly
@given(st.data())
def test_a_mutated_spec_is_loaded_or_refused(valid, acme, data):
    answer(data.draw(edits(valid)), acme)


@quickly
@given(st.data())
def test_a_mutated_shipped_spec_is_loaded_or_refused(data):
    path = data.draw(st.sampled_from(sorted(shipped_specs().values())))
    answer(data.draw(edits(path.read_text())), installed())


@quickly
@given(st.text(st.sampled_from("abdlostvix.=[]{}$:0123 -'\"\n"), max_size=25) | edits("views.0.augment.1.p=0.5"))
def test_a_mutated_override_is_applied_or_refused(valid, acme, override):
    answer(valid, acme, [override])


def test_an_unchanged_spec_is_loaded(valid, acme):
    assert isinstance(answer(valid, acme), Spec)


def test_arbitrary_text_is_refused(acme):
    for path in [Path(__file__), *Path(__file__).parent.glob("*.yaml")]:
        with pytest.raises(UserError):
            parse_spec(path.read_text() + "\nx: 1\n", catalog=acme)
