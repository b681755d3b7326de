"""NT-Xent, forward and backward, compared with lightly's and pytorch-metric-learning's.

``python -m benchmarks.nt_xent [--rounds 7] [--device cpu]`` measures the time of all three and of two M×M×D matrix
products (M = 2N), the least that an implementation without a matrix of logits needs. It measures memory in fresh
processes, or on a GPU the peak of what torch has allocated there.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch.nn.functional import normalize

from benchmarks._timing import extra_memory, synchronized, time_interleaved, write_results
from sslreg_losses import NTXentLoss

DIM = 128
TEMPERATURE = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="repetitions of each measurement")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to compute")
    asked = parser.parse_args()
    times = [time_with_peers(samples, asked.rounds, asked.device) for samples in (256, 1024, 4096, 8192)]
    cases = (("sslreg", 8192), ("lightly", 8192), ("sslreg", 32768))
    memory = [measure_memory(name, samples, asked.device) for name, samples in cases]
    about = {"dim": DIM, "temperature": TEMPERATURE, "rounds": asked.rounds}
    write_results("nt_xent", {**about, "times": times, "memory": memory}, device=asked.device)


def time_with_peers(samples: int, rounds: int, device: str = "cpu") -> dict[str, Any]:
    """Time all implementations that are feasible for a batch of `samples`, and print the ratios."""
    views = [torch.randn(samples, DIM, requires_grad=True, device=device) for _ in range(2)]
    rows = normalize(torch.cat(views).detach())
    logits, product = rows.new_empty(len(rows), len(rows)), torch.empty_like(rows)

    def two_products() -> None:
        torch.mm(rows, rows.T, out=logits)
        torch.mm(logits, rows, out=product)

    candidates: dict[str, Callable[[], object]] = {
        "two products": two_products,
        "sslreg": lambda: NTXentLoss(TEMPERATURE)(*views).backward(),
        "sslreg, T=0.01": lambda: NTXentLoss(0.01)(*views).backward(),
        "lightly": lambda: lightly_loss()(*views).backward(),
    }
    if samples <= 4096 and find_spec("pytorch_metric_learning"):
        candidates["pytorch-metric-learning"] = lambda: metric_learning_loss(views).backward()
    candidates = {name: synchronized(run, device) for name, run in candidates.items()}
    for run in candidates.values() if device == "cuda" else ():
        run()  # compiles the kernels
    seconds = time_interleaved(candidates, rounds)
    ours = seconds["sslreg"]["best"]
    for name, taken in seconds.items():
        print(
            f"N={samples}: {name:24} best {taken['best'] * 1e3:8.1f} ms, median {taken['median'] * 1e3:8.1f} ms, "
            f"{taken['best'] / ours:6.2f} of sslreg"
        )
    return {
        "samples": samples,
        "seconds": seconds,
        "lightly_over_sslreg": seconds["lightly"]["best"] / ours,
        "sslreg_over_two_products": ours / seconds["two products"]["best"],
    }


def lightly_loss() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lightly.loss import NTXentLoss as LightlyLoss
    return LightlyLoss(TEMPERATURE)


def metric_learning_loss(views: list[torch.Tensor]) -> torch.Tensor:
    """Compute pytorch-metric-learning's SupConLoss.

    With the samples as classes it is NT-Xent, and much faster than the library's NTXentLoss.
    """
    from pytorch_metric_learning.losses import SupConLoss

    loss: torch.Tensor = SupConLoss(TEMPERATURE)(
        torch.cat(views), torch.arange(len(views[0]), device=views[0].device).repeat(2)
    )
    return loss


def measure_memory(name: str, samples: int, device: str = "cpu") -> dict[str, Any]:
    """Print and return the extra memory of a step, including the gradients of the embeddings."""
    module = {"sslreg": "sslreg_losses", "lightly": "lightly.loss"}[name]
    size = (
        allocated_memory(name, samples)
        if device == "cuda"
        else extra_memory(
            f"import torch; from {module} import NTXentLoss\n"
            f"views = [torch.randn({samples}, {DIM}, requires_grad=True) for _ in range(2)]",
            "NTXentLoss(0.5)(*(view[:64] for view in views)).backward()\nfor view in views: view.grad = None",
            "NTXentLoss(0.5)(*views).backward()",
        )
    )
    print(f"N={samples}: {name:24} {size / 1e6:8.1f} MB beyond the embeddings")
    return {"name": name, "samples": samples, "bytes": size}


def allocated_memory(name: str, samples: int) -> int:
    """Return the largest number of bytes that torch has allocated on the GPU during a step, beyond the embeddings."""
    views = [torch.randn(samples, DIM, requires_grad=True, device="cuda") for _ in range(2)]
    loss = NTXentLoss(TEMPERATURE) if name == "sslreg" else lightly_loss()
    loss(*(view[:64] for view in views)).backward()
    for view in views:
        view.grad = None
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    loss(*views).backward()
    return torch.cuda.max_memory_allocated() - before


if __name__ == "__main__":
    main()
