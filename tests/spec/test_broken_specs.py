"""Every mistake in the corpus is reported with its code and location, in order."""

from pathlib import Path

import pytest
import yaml

from sslreg.errors import UserError
from sslreg.spec import load_spec
from sslreg.spec.diagnostic_rendering import render

CORPUS = yaml.safe_load((Path(__file__).parent / "broken_specs.yaml").read_text())


@pytest.mark.parametrize("case", CORPUS, ids=[case["about"] for case in CORPUS])
def test_each_mistake_is_reported_at_its_location(case, valid, acme, tmp_path):
    text = case.get("text", valid)
    for old, new in case.get("change", {}).items():
        assert text.count(old) == 1, f"valid.yaml has {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    for name, content in {"spec.yaml": text, **case.get("files", {})}.items():
        (tmp_path / name).write_text(content)

    with pytest.raises(UserError) as raised:
        load_spec(tmp_path / "spec.yaml", case.get("set", ()), acme)

    found = raised.value.diagnostics
    assert [_place(diagnostic) for diagnostic in found] == case["says"], render(found, raised.value.sources)
    assert case.get("message", "") in found[0].message
    assert case.get("hint", "") in (found[0].hint or "")


def _place(found) -> str:
    file = "" if found.file.endswith("spec.yaml") else f"{Path(found.file).name}:"
    return f"{found.code} {file}{found.line}:{found.column}"


def test_the_corpus_is_large_and_has_distinct_cases():
    assert len(CORPUS) >= 60
    assert len({case["about"] for case in CORPUS}) == len(CORPUS)
