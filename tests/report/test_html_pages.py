"""Pages show names of any bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

import sslreg
from sslreg.report.html_pages import render_page


def test_names_that_are_no_text_are_escaped() -> None:
    page = render_page("contact_sheet.html", title="caf\udce9 \x1b[31m \u202e <b>", tiles=[])
    assert r"caf\xe9 \x1b[31m \u202e &lt;b&gt;" in page
    assert page.encode()


def test_a_plugin_has_its_own_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    templates = tmp_path / "acme_pages" / "templates"
    templates.mkdir(parents=True)
    (templates.parent / "__init__.py").touch()
    (templates / "acme.html").write_text(
        '{% extends "base.html" %}{% from "_tables.html" import table %}'
        "{% block title %}{{ name }}{% endblock %}{% block body %}{{ table(rows, 'Rows', true) }}{% endblock %}"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    rows = sslreg.PageTable(["size"], [("a", ["<1>"])], [])
    page = render_page("acme.html", "acme_pages", name="<b>", rows=rows)
    assert "<title>&lt;b&gt;</title>" in page
    assert '<th scope="row">a</th><td>&lt;1&gt;</td>' in page
