"""Descriptions of parameters are parsed from docstrings."""

from __future__ import annotations

import pytest

from sslreg.spec.docstrings import parse_descriptions


@pytest.mark.parametrize("heading", ["Args", "Attributes"])
def test_sections_on_parameters_are_read_and_others_are_not(heading: str) -> None:
    class Documented:
        __doc__ = f"""A class.

        {heading}:
            size: the number of rows,
                in all.

        Returns:
            width: not a description
        """

    assert parse_descriptions(Documented, ["size", "width"]) == {"size": "the number of rows, in all."}
