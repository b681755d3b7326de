"""Pages show names of any bytes."""

from __future__ import annotations

from sslreg.report.contact_sheet import render_page


def test_names_that_are_no_text_are_escaped() -> None:
    page = render_page("contact_sheet.html", title="caf\udce9 \x1b[31m \u202e <b>", tiles=[])
    assert r"caf\xe9 \x1b[31m \u202e &lt;b&gt;" in page
    assert page.encode()
