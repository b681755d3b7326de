"""What Python lacks on Windows is not needed: a program without it checks, trains, resumes and evaluates."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import sslreg

#: Imports the other packages, which support Windows by themselves, and then takes away what Windows lacks.
PROGRAM = """
import builtins, importlib, os, signal, sys

for name in ("filelock", "lightning.pytorch", "matplotlib.pyplot", "numba", "rich.progress", "safetensors.torch",
             "sklearn.linear_model", "sklearn.neighbors", "torchvision.transforms.v2", "typer"):
    importlib.import_module(name)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in [name for name in dir(signal) if name.startswith("SIG") and name not in WINDOWS_SIGNALS]:
    delattr(signal, name)
for name in ("fork", "forkpty", "memfd_create", "pread", "pwrite", "O_DIRECTORY", "O_NONBLOCK", "fchmod", "geteuid",
             "getloadavg", "getpgid", "killpg", "register_at_fork", "sched_getaffinity", "setsid"):
    if hasattr(os, name):
        delattr(os, name)
for module in list(sys.modules.values()):
    if module is not None and module.__name__.startswith("lightning") and hasattr(module, "_IS_WINDOWS"):
        module._IS_WINDOWS = True
valid_signals = {getattr(signal, name) for name in WINDOWS_SIGNALS if "_" not in name}
signal.valid_signals = lambda: set(valid_signals)

assert "sslreg" not in sys.modules
from sslreg.cli import main

for arguments in COMMANDS:
    sys.argv = ["sslreg", *arguments]
    try:
        status = main()
    except SystemExit as end:
        status = end.code
    assert not status, (arguments, status)
"""
WINDOWS_SIGNALS = {"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL", "SIG_IGN"}
COMMANDS = [
    ["plugins", "list"],
    ["check", "tiny.yaml"],
    ["train", "tiny.yaml", "--dry-run"],
    ["train", "tiny.yaml", "--out", "run", "--set", "schedule=null", "--set", "trainer.max_epochs=1"],
    ["train", "--resume", "run", "--set", "trainer.max_epochs=2"],
    ["evaluate", "run"],
    ["embed", "run", "--out", "embeddings.npz"],
    ["report", "run", "--out", "report.html"],
    ["runs", "list", "."],
]


@pytest.mark.slow
@pytest.mark.independent
def test_what_windows_lacks_is_not_needed(tiny_spec: str, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(tiny_spec)
    program = PROGRAM.replace("WINDOWS_SIGNALS", repr(WINDOWS_SIGNALS)).replace("COMMANDS", repr(COMMANDS))
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "cannot be locked" not in result.stderr
    assert "peak memory: unknown in this process" in result.stdout
    run = sslreg.load_run(tmp_path / "run")
    assert (run.summary["status"], run.summary["epochs"], run.summary["resumed_at"]) == ("finished", 2, [21])
    assert (tmp_path / "embeddings.npz").is_file()
    assert (tmp_path / "report.html").is_file()
