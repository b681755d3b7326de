"""The preparation of a training."""

from __future__ import annotations

import io

from rich.console import Console

from sslreg.spec import parse_spec
from sslreg.training.training_setup import try_and_warn


def test_training_shows_the_warnings_that_only_a_trial_finds(tiny_spec: str) -> None:
    output = io.StringIO()
    moco = "model={use: moco, backbone: {use: convnet, width: 8, depth: 3}, projection: [16], momentum: 0.5}"
    spec = parse_spec(tiny_spec, "tiny.yaml", [moco, "loss.symmetric=true"])
    try_and_warn(spec, Console(file=output, width=300))
    assert "warning[symmetric-loss]: loss 'nt_xent' is symmetric" in output.getvalue()
