"""NT-Xent, forward and backward, compared with lightly's and pytorch-metric-learning's.

``python -m benchmarks.nt_xent [--rounds 7]`` measures the time of all three and of two M×M×D matrix products (M = 2N),
the least that an implementation without a matrix of logits needs. It measures memory in fresh processes.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import normalize

from benchmarks._timing import extra_memory, time_interleaved, write_results
from sslreg_losses import NTXentLoss

DIM = 128
TEMPERATURE = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="repetitions of each measurement")
    rounds = parser.parse_args().rounds
    times = [time_with_peers(samples, rounds) for samples in (256, 1024, 4096, 8192)]
    memory = [
        measure_memory(name, samples) for name, samples in (("sslreg", 8192), ("lightly", 8192), ("sslreg", 32768))
    ]
    write_results(
        "nt_xent", {"dim": DIM, "temperature": TEMPERATURE, "rounds": rounds, "times": times, "memory": memory}
    )


def time_with_peers(samples: int, rounds: int) -> dict[str, Any]:
    """Time all implementations that are feasible for a batch of `samples`, and print the ratios."""
    views = [torch.randn(samples, DIM, requires_grad=True) for _ in range(2)]
    rows = normalize(torch.cat(views).detach())
    logits, product = torch.empty(len(rows), len(rows)), torch.empty_like(rows)

    def two_products() -> None:
        torch.mm(rows, rows.T, out=logits)
        torch.mm(logits, rows, out=product)

    candidates: dict[str, Callable[[], object]] = {
        "two products": two_products,
        "sslreg": lambda: NTXentLoss(TEMPERATURE)(*views).backward(),
        "sslreg, T=0.01": lambda: NTXentLoss(0.01)(*views).backward(),
        "lightly": lambda: lightly_loss()(*views).backward(),
    }
    if samples <= 4096:
        candidates["pytorch-metric-learning"] = lambda: metric_learning_loss(views).backward()
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

    loss: torch.Tensor = SupConLoss(TEMPERATURE)(torch.cat(views), torch.arange(len(views[0])).repeat(2))
    return loss


def measure_memory(name: str, samples: int) -> dict[str, Any]:
    """Print and return the extra memory of a step, including the gradients of the embeddings."""
    module = {"sslreg": "sslreg_losses", "lightly": "lightly.loss"}[name]
    size = extra_memory(
        f"import torch; from {module} import NTXentLoss\n"
        f"views = [torch.randn({samples}, {DIM}, requires_grad=True) for _ in range(2)]",
        "NTXentLoss(0.5)(*(view[:64] for view in views)).backward()\nfor view in views: view.grad = None",
        "NTXentLoss(0.5)(*views).backward()",
    )
    print(f"N={samples}: {name:24} {size / 1e6:8.1f} MB beyond the embeddings")
    return {"name": name, "samples": samples, "bytes": size}


if __name__ == "__main__":
    main()
