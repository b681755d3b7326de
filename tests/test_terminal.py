"""Output to terminals and other streams: no character, encoding or full disk ends a command."""

from __future__ import annotations

import errno
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from rich.progress import Progress
from rich.table import Table

from sslreg import Run
from sslreg.terminal import OutputError, OutputStream, TerminalConsole

TIMEOUT = 120.0
ENCODINGS = ["ascii", "cp1252", "latin-1", "cp437", "utf-8", "utf-16"]


def sslreg(*arguments: object, encoding: str | None = None, stdout: object = subprocess.PIPE, **options):
    environment = os.environ | ({} if encoding is None else {"PYTHONIOENCODING": encoding})
    return subprocess.run(
        [sys.executable, "-m", "sslreg", *map(str, arguments)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment,
        timeout=TIMEOUT,
        check=False,
        **options,
    )


class Recorder(io.StringIO):
    """A terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def record(monkeypatch: pytest.MonkeyPatch) -> tuple[TerminalConsole, Recorder]:
    stream = Recorder()
    monkeypatch.setattr(sys, "stdout", stream)
    return TerminalConsole(), stream


def test_text_is_printed_without_markup_and_with_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    console, stream = record(monkeypatch)
    console.print("[bold]x[/] :smile: \x1b]0;title\x9c \u202e \udce9")
    assert stream.getvalue() == "[bold]x[/] :smile: \\x1b]0;title\\x9c \\u202e \\xe9\n"


def test_tables_and_progress_bars_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    console, stream = record(monkeypatch)
    table = Table("\x1b[31mcolumn", title="\x1b[32mtitle")
    table.add_row("[/red]\x1b[33mcell")
    console.print(table)
    with Progress(console=console) as bar:
        bar.add_task("\x1b[34mtask", total=2)
        sys.stdout.write("\x1b[2Jprinted\n")  # rich redirects it to the console
    for code in (31, 32, 33, 34):
        assert f"\x1b[{code}mc" not in stream.getvalue()
        assert f"\x1b[{code}mt" not in stream.getvalue()
    assert r"[/red]\x1b[33mcell" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_characters_that_an_encoding_lacks_are_replaced(encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    OutputStream(stream, required=True).write("▁ \u4e2d é \udce9 end")
    stream.seek(0)
    assert stream.read().endswith(" ? end")


@pytest.mark.parametrize("required", [True, False])
def test_a_stream_that_cannot_be_written(required: bool) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    stream = OutputStream(Full(), required=required)
    if required:
        with pytest.raises(OutputError, match="cannot be written: No space left"):
            stream.write("x")
    else:
        assert stream.write("x") == 1


def test_a_process_without_streams_prints_nothing() -> None:
    stream = OutputStream(None, required=True)
    assert stream.write("x") == 1
    stream.flush()
    assert not stream.isatty()


@pytest.mark.parametrize(
    ("command", "encoding"),
    [
        *(("curves", encoding) for encoding in ENCODINGS),
        ("evaluate", "cp1252"),
        ("list", "utf-16"),
        ("show", "cp1252"),
        ("components", "utf-16"),
        ("help", "cp1252"),
    ],
)
def test_no_encoding_ends_a_command(tiny_run: Run, command: str, encoding: str) -> None:
    arguments = {
        "evaluate": ["evaluate", tiny_run.path, "neighbors"],
        "curves": ["curves", tiny_run.path],
        "list": ["runs", "list", tiny_run.path.parent],
        "show": ["plugins", "show", "evaluator/knn"],
        "components": ["plugins", "list"],
        "help": ["--help"],
    }[command]
    result = sslreg(*arguments, encoding=encoding)
    assert result.returncode == 0, result.stderr
    assert b"Traceback" not in result.stderr
    assert result.stdout


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_no_encoding_ends_a_training(tmp_path: Path, tiny_spec: str, encoding: str) -> None:
    spec = tmp_path / "tiny.yaml"
    spec.write_text(tiny_spec)
    result = sslreg("train", spec, "--set", "trainer.max_epochs=1", "--out", tmp_path / "run", encoding=encoding)
    assert result.returncode == 0, result.stderr
    assert b"everything is in" in result.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize(
    "arguments", [["check", "SPEC"], ["check", "SPEC", "--format", "json"], ["--help"], ["specs", "list"]]
)
def test_a_full_disk_ends_a_command_with_one_message(tmp_path: Path, tiny_spec: str, arguments: list[str]) -> None:
    spec = tmp_path / "tiny.yaml"
    spec.write_text(tiny_spec)
    with Path("/dev/full").open("w") as full:
        result = sslreg(*(str(spec) if argument == "SPEC" else argument for argument in arguments), stdout=full)
    assert result.returncode == 1
    assert result.stderr.decode().splitlines() == [
        "error[output]: the output cannot be written: No space left on device",
        " = hint: make room on the disk, or write to another place",
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_cannot_change_the_exit_status_of_a_training(tmp_path: Path, tiny_spec: str) -> None:
    spec = tmp_path / "tiny.yaml"
    spec.write_text(tiny_spec)
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "sslreg", "train", spec, "--set", "trainer.max_epochs=1", "--out", tmp_path / "run"],
            stdout=full,
            stderr=full,
            timeout=TIMEOUT,
            check=False,
        )
    assert result.returncode == 0
    assert Run(tmp_path / "run").summary["status"] == "finished"


def test_a_reader_that_has_seen_enough_ends_a_command_quietly() -> None:
    read, write = os.pipe()
    os.close(read)
    result = sslreg("plugins", "list", stdout=write)
    os.close(write)
    assert (result.returncode, result.stderr) == (1, b"")


def test_closed_streams_do_not_end_a_command(tmp_path: Path, tiny_spec: str) -> None:
    spec = tmp_path / "tiny.yaml"
    spec.write_text(tiny_spec)
    command = f'exec "{sys.executable}" -m sslreg check "{spec}" >&- 2>&-'
    assert subprocess.run(["sh", "-c", command], timeout=TIMEOUT, check=False).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "\x1b[31mno.yaml"],
        ["check", "digits-simclr", "--set", "model.\x1b[31muse=moco"],
        ["check", "digits-simclr", "--set", "name='\u202ex'"],
        ["\x1b[31mcommand"],
        ["check", "--\x1b[31moption"],
        ["check", "--format", "\x1b[31m", "digits-simclr"],
        ["runs", "list", "\x1b[31mfolder"],
        ["report", b"caf\xe9\x1b[31m"],
        ["plugins", "show", "loss/\x1b[31m"],
        ["neighbors", "run\x1b[31m", "\x1b[31m.png"],
        ["train", "\x9b31m"],
    ],
)
def test_control_characters_in_arguments_do_not_reach_the_terminal(tmp_path: Path, arguments: list) -> None:
    controller, terminal = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "NO_COLOR": "1"}
    try:
        result = subprocess.run(
            [sys.executable, "-m", "sslreg", *arguments],
            stdout=terminal,
            stderr=terminal,
            cwd=tmp_path,
            env=environment,
            timeout=TIMEOUT,
            check=False,
        )
        shown = os.read(controller, 100_000).decode()
    finally:
        os.close(controller)
        os.close(terminal)
    assert result.returncode == 2
    assert "Traceback" not in shown
    assert "\x1b[31m" not in shown
    assert "\x9b31m" not in shown
    assert "\u202e" not in shown
    assert r"\x1b[31m" in shown or r"\x9b31m" in shown or r"\u202e" in shown
