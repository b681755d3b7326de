"""Every method, by its recipe for the digits: two processes, resumed runs, bfloat16 and torch.compile.

`make evidence` writes the differences that these tests find into the documentation.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import sslreg
from sslreg import Run
from sslreg.registry import installed
from sslreg.training.lightning_module import TrainingModule

sys.path.insert(0, str(Path(__file__).parent))
from two_processes import ONE, load

METHODS = sorted(info.name for info in installed().of_kind("model") if info.distribution == "sslreg")
WORKER = Path(__file__).with_name("two_processes.py")
#: The step at which a run is cut, in the middle of its third epoch.
CUT = 5

Record = Callable[[str, str, float], None]

pytestmark = pytest.mark.slow


class PowerCutError(Exception):
    """Ends a run in the middle of a step."""


def list_tested_methods(session: pytest.Session) -> list[str]:
    """Return the methods of the tests that were selected."""
    selected = {item.callspec.params.get("method") for item in session.items if hasattr(item, "callspec")}
    return [method for method in METHODS if method in selected]


@pytest.fixture(scope="module")
def pairs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes trained each method that is tested."""
    folder = tmp_path_factory.mktemp("pairs")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launcher, WORKER, folder, *list_tested_methods(request.session)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Train a method from start to end, once for the same overrides."""
    folder = tmp_path_factory.mktemp("whole")

    def train(method: str, *overrides: str) -> Run:
        path = folder / "-".join((method, *overrides))
        return Run(path) if path.exists() else sslreg.train(load(method, *overrides), path)

    return train


def losses(run: Run) -> Tensor:
    with (run.path / "metrics.csv").open(newline="") as file:
        return torch.tensor([float(row["loss"]) for row in csv.DictReader(file) if row["loss"]])


def largest_difference(run: Run, expected: Run) -> float:
    """Return the largest difference between the weights, buffers, banks and counters of two runs."""
    state, other = run.checkpoint()["state_dict"], expected.checkpoint()["state_dict"]
    assert state.keys() == other.keys()
    return max(
        float((state[name].double() - other[name].double()).abs().max()) for name in other if other[name].numel()
    )


@pytest.mark.parametrize("method", METHODS)
def test_two_processes_train_what_one_does(
    method: str, pairs: Path, whole: Callable[..., Run], record_difference: Record
) -> None:
    """In float64, with synchronized batch normalization: gradients, buffers and banks are those of the whole batch."""
    difference = largest_difference(Run(pairs / method), whole(method, *ONE))
    record_difference(method, "two processes", difference)
    assert difference < 1e-9


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_run_ends_bit_for_bit_like_a_whole_one(
    method: str,
    whole: Callable[..., Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_difference: Record,
) -> None:
    step = TrainingModule.training_step

    def stop_at_cut(self: TrainingModule, batch: Any, batch_idx: int) -> Any:
        if self.global_step == CUT:
            raise PowerCutError
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", stop_at_cut)
    with pytest.raises(PowerCutError):
        sslreg.train(load(method, "checkpoint.every_steps=1"), tmp_path / "run")
    monkeypatch.undo()
    resumed = sslreg.resume(tmp_path / "run")
    assert resumed.summary["resumed_at"] == [CUT]
    difference = largest_difference(resumed, whole(method))
    record_difference(method, "resumed", difference)
    assert difference == 0
    assert torch.equal(losses(resumed), losses(whole(method)))


@pytest.mark.parametrize("method", METHODS)
def test_it_trains_in_bfloat16(
    method: str, whole: Callable[..., Run], tmp_path: Path, record_difference: Record
) -> None:
    run = sslreg.train(load(method, "trainer.precision=bf16-mixed"), tmp_path / "run")
    expected = losses(whole(method))
    difference = float(((losses(run) - expected).abs() / expected.abs().clamp_min(1)).max())
    record_difference(method, "bfloat16", difference)
    assert difference < 0.1


# torch causes this warning itself and hides it, but not where warnings are errors.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf Tensor:UserWarning")
@pytest.mark.parametrize("method", METHODS)
def test_what_is_trained_is_compiled(
    method: str,
    whole: Callable[..., Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_difference: Record,
) -> None:
    """The graph that the compiler captures, run without optimization, trains the same weights.

    In float64, because AdamW makes whole steps of gradients that are zero but for their rounding, such as those of the
    biases of attention's keys.
    """
    compiled: list[nn.Module] = []
    compile_module = nn.Module.compile

    def compile_for_test(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        compiled.append(self)
        compile_module(self, *args, **{**kwargs, "backend": "eager"})

    monkeypatch.setattr(nn.Module, "compile", compile_for_test)
    calls: list[nn.Module] = []
    step = TrainingModule.training_step

    def note_calls(self: TrainingModule, batch: Any, batch_idx: int) -> Any:
        if not calls:
            calls.extend(self.model.trained_modules())
        return step(self, batch, batch_idx)

    monkeypatch.setattr(TrainingModule, "training_step", note_calls)
    run = sslreg.train(load(method, *ONE, "engine.compile=true"), tmp_path / "run")
    assert [id(module) for module in compiled] == [id(module) for module in calls]
    assert any(weight.requires_grad for module in compiled for weight in module.parameters())
    difference = largest_difference(run, whole(method, *ONE))
    record_difference(method, "compiled", difference)
    assert difference < 1e-9
