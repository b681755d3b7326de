"""A bank of 65536 keys, and NT-Xent with it, compared with lightly's and pytorch-metric-learning's.

``python -m benchmarks.memory_bank [--rounds 7]`` measures reading and updating the bank, a step of the loss with it,
which needs at least two products of the batch with the bank, and the search for nearest neighbors.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks._timing import time_interleaved, write_results
from sslreg_losses import NTXentLoss
from sslreg_memory_banks import FIFOMemoryBank, NearestNeighborMemoryBank

SIZE, DIM, BATCH = 65536, 128, 256
TEMPERATURE = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="repetitions of each measurement")
    rounds = parser.parse_args().rounds
    query, key = torch.randn(BATCH, DIM, requires_grad=True), torch.randn(BATCH, DIM)
    results = {
        "read and enqueue": read_and_enqueue(normalize(key), rounds * 20),
        "loss": loss(query, key, rounds),
        "nearest neighbor": nearest_neighbor(key, rounds),
    }
    for title, seconds in results.items():
        ours = seconds["sslreg"]["best"]
        for name, taken in seconds.items():
            print(
                f"{title}: {name:24} best {taken['best'] * 1e3:8.3f} ms, median {taken['median'] * 1e3:8.3f} ms, "
                f"{taken['best'] / ours:6.2f} of sslreg"
            )
    write_results("memory_bank", {"size": SIZE, "dim": DIM, "batch": BATCH, "rounds": rounds, "seconds": results})


def read_and_enqueue(keys: Tensor, rounds: int) -> dict[str, dict[str, float]]:
    bank, theirs = fill(FIFOMemoryBank(SIZE, DIM)), lightly().models.modules.memory_bank.MemoryBankModule((SIZE, DIM))

    def ours() -> None:
        bank.negatives()
        bank.enqueue(keys)
        bank.commit()

    return time_interleaved({"sslreg": ours, "lightly": lambda: theirs(keys, update=True)}, rounds)


def loss(query: Tensor, key: Tensor, rounds: int) -> dict[str, dict[str, float]]:
    bank = fill(FIFOMemoryBank(SIZE, DIM))
    ours, theirs = NTXentLoss(TEMPERATURE, bank), lightly().loss.NTXentLoss(TEMPERATURE, (SIZE, DIM))
    rows, past = normalize(query.detach()), bank.negatives()
    logits, product = torch.empty(BATCH, SIZE), torch.empty(BATCH, DIM)

    def two_products() -> None:
        torch.mm(rows, past.T, out=logits)
        torch.mm(logits, past, out=product)

    def our_step() -> None:
        ours(query, key).backward()
        ours.commit()

    return time_interleaved(
        {
            "two products": two_products,
            "sslreg": our_step,
            "lightly": lambda: theirs(query, key).backward(),
            "pytorch-metric-learning": metric_learning_step(query, key),
        },
        rounds,
    )


def metric_learning_step(query: Tensor, key: Tensor) -> Any:
    """Return a step of its CrossBatchMemory with SupConLoss, whose candidates also include all keys of the batch."""
    from pytorch_metric_learning.losses import CrossBatchMemory, SupConLoss

    memory = CrossBatchMemory(SupConLoss(TEMPERATURE), DIM, memory_size=SIZE)
    # Full from the start, with samples that are no positives.
    memory.embedding_memory = normalize(torch.randn(SIZE, DIM))
    memory.label_memory = torch.arange(1, SIZE + 1).neg()
    memory.has_been_filled = True
    labels = torch.arange(BATCH).repeat(2)
    only_keys = torch.arange(2 * BATCH) >= BATCH
    return lambda: memory(torch.cat([query, key]), labels, enqueue_mask=only_keys).backward()


def nearest_neighbor(queries: Tensor, rounds: int) -> dict[str, dict[str, float]]:
    bank, theirs = fill(NearestNeighborMemoryBank(SIZE, DIM)), lightly().models.modules.NNMemoryBankModule((SIZE, DIM))
    return time_interleaved({"sslreg": lambda: bank.nearest(queries), "lightly": lambda: theirs(queries)}, rounds)


def fill(bank: Any) -> Any:
    bank.enqueue(normalize(torch.randn(SIZE, DIM)))
    bank.commit()
    return bank


def lightly() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lightly.loss
        import lightly.models.modules
    return lightly


if __name__ == "__main__":
    main()
