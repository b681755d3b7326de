"""TiCo as a third party would publish it, next to the wheel of sslreg."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "sslreg-tico"


def components(wheel_environment, folder: Path) -> set[str]:
    plugins = json.loads(wheel_environment.sslreg("plugins", "list", "--json", cwd=folder))["plugins"]
    return {f"{component['kind']}/{component['name']}" for plugin in plugins for component in plugin["components"]}


def test_it_is_installed_trains_and_is_uninstalled(wheel_environment, tmp_path: Path) -> None:
    ours = {"model/tico", "loss/tico"}
    package = shutil.copytree(EXAMPLE, tmp_path / "sslreg-tico")
    wheel_environment.install(package)
    try:
        assert ours <= components(wheel_environment, tmp_path)
        run = tmp_path / "run"
        wheel_environment.sslreg(
            *("train", package / "specs" / "digits-tico.yaml", "--out", run),
            *("--set", "trainer={max_epochs: 1, accelerator: cpu}"),
            cwd=tmp_path,
        )
        summary = json.loads((run / "summary.json").read_text())
        locked = json.loads((run / "lock.json").read_text())["components"]
        assert summary["status"] == "finished"
        assert {name: locked[name]["distribution"] for name in ours} == dict.fromkeys(ours, "sslreg-tico")
    finally:
        wheel_environment.uninstall("sslreg-tico")
    assert not ours & components(wheel_environment, tmp_path)


def test_its_own_tests_pass(site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE / "src"))
    site.install("sslreg-tico", "from sslreg_tico import sslreg_api, sslreg_register\n")
    tests = runpy.run_path(str(EXAMPLE / "tests" / "test_sslreg_tico.py"))
    for parameters in tests["test_conformance"].pytestmark[0].args[1]:
        with suppress(pytest.skip.Exception):
            tests["test_conformance"](*parameters.values)
    for name, test in tests.items():
        if name.startswith("test_") and name != "test_conformance":
            test()


def run_two_steps(rows: slice) -> dict[str, Tensor]:
    """Return the loss of some of eight samples, its gradient and the covariance after it, all of the second step."""
    sys.path.insert(0, str(EXAMPLE / "src"))
    from sslreg_tico.loss import TiCoLoss

    loss = TiCoLoss(3).double()
    for step in range(2):
        views = torch.randn(2, 8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(step))
        embeddings = views[:, rows].clone().requires_grad_()
        value = loss(*embeddings)
        (gradient,) = torch.autograd.grad(value, embeddings)
        loss.commit()
    return {"value": value.detach(), "gradient": gradient, "covariance": loss.covariance}


def worker(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    torch.save(run_two_steps(slice(4 * rank, 4 * rank + 4)), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_its_loss_on_two_processes_is_that_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mp.spawn(worker, (str(tmp_path),), nprocs=2)
    results = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    monkeypatch.setattr(sys, "path", [*sys.path])
    expected = run_two_steps(slice(None))
    for result in results:
        torch.testing.assert_close(result["covariance"], expected["covariance"], rtol=0, atol=1e-12)
    value = torch.stack([result["value"] for result in results]).mean()
    torch.testing.assert_close(value, expected["value"], rtol=0, atol=1e-12)
    # Each process has the mean loss of its samples; DDP averages the gradients over the processes.
    averaged = torch.cat([result["gradient"] for result in results], dim=1) / 2
    torch.testing.assert_close(averaged, expected["gradient"], rtol=0, atol=1e-12)
