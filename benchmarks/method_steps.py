"""The cost of a training step of each method, compared with SimCLR.

``python -m benchmarks.method_steps [--rounds 40]`` builds each ``digits-METHOD`` spec and trains on one batch of 128
digits: forward, backward, optimizer step, and updates of momentum encoders and memory banks, but neither data nor
augmentations. All methods have the same small convolutional network, so heads cost more than next to a larger backbone.
Multi-crop methods process additional small crops of each image.

The methods alternate in one process. Times are processor times, with one thread of torch. The memory is that of the
model's parameters and buffers, without gradients.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks._timing import time_interleaved, write_results
from sslreg.assembly import assemble
from sslreg.contracts.loss import commit_staged
from sslreg.spec import load_spec, shipped_specs

PREFIX = "digits-"
REFERENCE = "simclr"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="steps of each method, after two that are not measured")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    names = sorted(name.removeprefix(PREFIX) for name in shipped_specs() if name.startswith(PREFIX))
    steps, megabytes = {}, {}
    for name in names:
        steps[name], megabytes[name] = build_step(name)
    time_interleaved(steps, 2, time.process_time)
    seconds = time_interleaved(steps, rounds, time.process_time)
    medians = {name: taken["median"] for name, taken in seconds.items()}
    results = {
        name: {
            "milliseconds": medians[name] * 1e3,
            "of SimCLR's time": medians[name] / medians[REFERENCE],
            "megabytes of the model": megabytes[name],
        }
        for name in sorted(names, key=medians.__getitem__)
    }
    for name, row in results.items():
        print(f"{name:14}" + "".join(f"  {value:8.2f} {column}" for column, value in row.items()))
    write_results("method_steps", {"rounds": rounds, "methods": results})


def build_step(method: str) -> tuple[Callable[[], None], float]:
    """Return a training step of a method on a fixed batch, and the megabytes of its model and its loss."""
    pipeline = assemble(load_spec(PREFIX + method))
    batch: Any = pipeline.collate([pipeline.train[index] for index in range(pipeline.spec.data.batch_size)])
    model, loss, optimizer = pipeline.model.train(), pipeline.loss, pipeline.build_optimizer()
    modules = nn.ModuleList([model, loss])

    def step() -> None:
        optimizer.zero_grad()
        model.training_step(batch, loss).loss.backward()
        model.before_step()
        optimizer.step()
        model.after_step()
        commit_staged(modules)

    tensors = {id(tensor): tensor.nbytes for tensor in [*modules.parameters(), *modules.buffers()]}
    return step, sum(tensors.values()) / 1e6


if __name__ == "__main__":
    main()
