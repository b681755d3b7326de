"""Nearest neighbors of 10,000 embeddings among 50,000 of width 512, compared with their products and with lightly.

``python -m benchmarks.knn [--rounds 5] [--queries 10000]`` measures the whole evaluator, including classification, for
k = 20 (its default) and 200 (lightly's), the inner products alone, chunk by chunk as the evaluator computes them, and
memory in fresh processes. Times are processor times of all threads together, which other work on the machine disturbs
little. Set OMP_WAIT_POLICY=passive, so that threads do not wait actively. Fewer queries are enough for times.
"""

from __future__ import annotations

import argparse
import time
import warnings
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks._timing import extra_memory, time_interleaved, write_results
from sslreg import Embeddings
from sslreg.evaluation.nearest_neighbors import KEYS, inner_products
from sslreg_evaluators.knn import KNN

QUERIES, REFERENCE, DIM, CLASSES = 10_000, 50_000, 512, 10
RUN = SimpleNamespace(device=torch.device("cpu"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of each measurement")
    parser.add_argument("--queries", type=int, default=QUERIES, help="queries of the measurements of time")
    arguments = parser.parse_args()
    rounds = arguments.rounds
    seconds = time_with_lightly(rounds, arguments.queries)
    products = seconds["products"]
    for name, taken in seconds.items():
        ratios = ", ".join(f"{kind} {taken[kind]:6.2f} s ({taken[kind] / products[kind]:4.2f})" for kind in taken)
        print(f"{name:24} {ratios} of the products", flush=True)
    memory = {name: extra_memory(*program) for name, program in PROGRAMS.items()}
    for name, size in memory.items():
        print(f"{name:24} {size / 1e6:8.1f} MB beyond the embeddings")
    shape = {
        "queries of the times": arguments.queries,
        "queries of the memory": QUERIES,
        "reference": REFERENCE,
        "dim": DIM,
        "rounds": rounds,
    }
    ratio = {f"{name}, by the products": taken["best"] / products["best"] for name, taken in seconds.items()}
    write_results("knn", {**shape, **ratio, "seconds": seconds, "extra bytes": memory})


def time_with_lightly(rounds: int, queries: int) -> dict[str, dict[str, float]]:
    reference, test = embeddings(REFERENCE, seed=0), embeddings(queries, seed=1)
    return time_interleaved(
        {
            "products": lambda: products(test.features, reference.features),
            "sslreg, k=20": lambda: KNN(20).evaluate(reference, test, RUN),
            "sslreg, k=200": lambda: KNN(200).evaluate(reference, test, RUN),
            "lightly, k=200": lambda: lightly(reference, test),
        },
        rounds,
        time.process_time,
    )


def embeddings(count: int, seed: int) -> Embeddings:
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, CLASSES, (count,), generator=generator)
    return Embeddings(torch.randn(count, DIM, generator=generator), targets, torch.arange(count), [""] * count)


def products(queries: Tensor, keys: Tensor) -> None:
    for chunk in normalize(keys, dim=1).split(KEYS):
        for _ in inner_products(queries, chunk):
            pass


def lightly(reference: Embeddings, test: Embeddings) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lightly.utils.benchmarking.knn import knn_predict
    assert reference.targets is not None
    bank = normalize(reference.features, dim=1).T.contiguous()
    return knn_predict(normalize(test.features, dim=1), bank, reference.targets, CLASSES, knn_k=200)


def program(call: str) -> tuple[str, str, str]:
    """Return setup, warm-up and run of a fresh process. The warm-up uses a few embeddings."""
    setup = (
        "from benchmarks.knn import KNN, QUERIES, REFERENCE, RUN, embeddings, lightly\n"
        "reference, test = embeddings(REFERENCE, 0), embeddings(QUERIES, 1)\n"
        "few = embeddings(300, 2)"
    )
    return setup, call.format("few", "few"), call.format("reference", "test")


PROGRAMS = {
    "sslreg, k=20": program("KNN(20).evaluate({}, {}, RUN)"),
    "sslreg, k=200": program("KNN(200).evaluate({}, {}, RUN)"),
    "lightly, k=200": program("lightly({}, {})"),
}

if __name__ == "__main__":
    main()
