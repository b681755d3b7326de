"""Diagnostics are rendered for terminals and for GitHub."""

from rich.console import Console

from sslreg.errors import Diagnostic
from sslreg.spec.diagnostic_rendering import format_for_github, render

FOUND = Diagnostic("unknown-key", "loss takes no 'temprature'", "did you mean 'temperature'?", "a.yaml", 2, 7)


def text(*found, source=""):
    return render(found, {"a.yaml": source}).plain


def test_a_diagnostic_shows_its_line_and_underlines_the_word():
    assert text(FOUND, source="version: 1\nloss: temprature: 5\n") == (
        "error[unknown-key]: loss takes no 'temprature'\n"
        " --> a.yaml:2:7\n"
        "2 | loss: temprature: 5\n"
        "  |       ^^^^^^^^^^\n"
        "  = hint: did you mean 'temperature'?"
    )


def test_the_caret_is_aligned_after_wide_characters_and_tabs():
    lines = text(Diagnostic("x", "y", None, "a.yaml", 1, 6), source="\t图片: z\n").splitlines()

    assert lines[2].index("z") + 2 == lines[3].index("^")  # two characters are twice as wide


def test_a_long_line_is_cropped_around_the_column():
    lines = text(Diagnostic("x", "y", None, "a.yaml", 1, 500), source="a" * 499 + "B" + "a" * 500).splitlines()

    assert len(lines[2]) < 130
    assert lines[2][lines[3].index("^")] == "B"


def test_a_diagnostic_without_source_or_location_is_rendered():
    assert text(Diagnostic("x", "y")) == "error[x]: y"
    assert render([FOUND], {}).plain.splitlines()[1:] == [" --> a.yaml:2:7", "  = hint: did you mean 'temperature'?"]


def test_diagnostics_are_separated_and_labeled_by_severity():
    both = text(FOUND, Diagnostic("x", "y", severity="warning"))

    assert "\n\nwarning[x]: y" in both


def test_brackets_in_a_spec_are_not_markup():
    console = Console(record=True, width=80)
    console.print(render([Diagnostic("x", "[bold]y[/]", None, "a.yaml", 1, 1)], {"a.yaml": "[red]: [/]"}))

    assert "[bold]y[/]" in console.export_text()


def test_github_gets_a_workflow_command():
    assert format_for_github(FOUND) == (
        "::error file=a.yaml,line=2,col=7,title=unknown-key"
        "::loss takes no 'temprature'%0Ahint: did you mean 'temperature'?"
    )


def test_special_characters_are_escaped_for_github():
    found = Diagnostic("x", "100%\r\n::error::", None, "a,b:c.yaml", 1, 1, "warning")

    assert format_for_github(found) == "::warning file=a%2Cb%3Ac.yaml,line=1,col=1,title=x::100%25%0D%0A::error::"
