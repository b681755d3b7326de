"""Findings read well in a terminal and in CI."""

from rich.console import Console

from sslreg.errors import Diagnostic
from sslreg.spec.diagnostic_rendering import format_for_github, render

FOUND = Diagnostic("unknown-key", "loss takes no 'temprature'", "did you mean 'temperature'?", "a.yaml", 2, 7)


def text(*found, source=""):
    return render(found, {"a.yaml": source}).plain


def test_a_finding_shows_its_line_and_underlines_the_word():
    assert text(FOUND, source="version: 1\nloss: temprature: 5\n") == (
        "error[unknown-key]: loss takes no 'temprature'\n"
        " --> a.yaml:2:7\n"
        "2 | loss: temprature: 5\n"
        "  |       ^^^^^^^^^^\n"
        "  = hint: did you mean 'temperature'?"
    )


def test_a_caret_stands_below_its_character_after_wide_ones_and_tabs():
    lines = text(Diagnostic("x", "y", None, "a.yaml", 1, 6), source="\t图片: z\n").splitlines()

    assert lines[2].index("z") + 2 == lines[3].index("^")  # two characters are twice as wide


def test_a_long_line_is_shown_around_the_place():
    lines = text(Diagnostic("x", "y", None, "a.yaml", 1, 500), source="a" * 499 + "B" + "a" * 500).splitlines()

    assert len(lines[2]) < 130
    assert lines[2][lines[3].index("^")] == "B"


def test_a_finding_without_a_source_or_a_place_is_still_said():
    assert text(Diagnostic("x", "y")) == "error[x]: y"
    assert render([FOUND], {}).plain.splitlines()[1:] == [" --> a.yaml:2:7", "  = hint: did you mean 'temperature'?"]


def test_findings_are_apart_and_warnings_differ():
    both = text(FOUND, Diagnostic("x", "y", severity="warning"))

    assert "\n\nwarning[x]: y" in both


def test_brackets_in_a_spec_are_not_taken_for_markup():
    console = Console(record=True, width=80)
    console.print(render([Diagnostic("x", "[bold]y[/]", None, "a.yaml", 1, 1)], {"a.yaml": "[red]: [/]"}))

    assert "[bold]y[/]" in console.export_text()


def test_github_gets_a_workflow_command():
    assert format_for_github(FOUND) == (
        "::error file=a.yaml,line=2,col=7,title=unknown-key"
        "::loss takes no 'temprature'%0Ahint: did you mean 'temperature'?"
    )


def test_github_s_special_characters_are_escaped():
    found = Diagnostic("x", "100%\r\n::error::", None, "a,b:c.yaml", 1, 1, "warning")

    assert format_for_github(found) == "::warning file=a%2Cb%3Ac.yaml,line=1,col=1,title=x::100%25%0D%0A::error::"
