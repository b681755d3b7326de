"""The cost of a training step of each method, compared with SimCLR.

``python -m benchmarks.method_steps [--rounds 40] [METHOD…]`` builds each ``digits-METHOD`` spec and trains on one batch
of 128 digits: forward, backward, optimizer step, and updates of momentum encoders and memory banks, but neither data
nor augmentations. SimCLR has the backbone of the method: the same small convolutional network for most, a small Vision
Transformer for those that need patches. Heads cost more than next to a larger backbone. Multi-crop methods process
additional small crops of each image. With names of methods, the results of others stay.

The methods alternate in one process. Times are processor times, with one thread of torch. The memory is that of the
model's parameters and buffers, without gradients.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks._timing import results_file, time_interleaved, write_results
from sslreg.assembly import assemble
from sslreg.contracts.loss import commit_staged
from sslreg.spec import Spec, load_spec, shipped_specs

PREFIX = "digits-"
REFERENCE = "simclr"
BATCH_SIZE = "data.batch_size=128"
#: The teacher of the spec starts from a run; with random weights, it computes as much.
CHANGES = {"distillation": ["model.teacher={use: convnet}"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40, help="steps of each method, after two that are not measured")
    parser.add_argument("methods", nargs="*", metavar="METHOD", help="such as mae; all by default")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    names = arguments.methods or sorted(
        name.removeprefix(PREFIX) for name in shipped_specs() if name.startswith(PREFIX)
    )
    specs = {name: load_spec(PREFIX + name, [BATCH_SIZE, *CHANGES.get(name, ())]) for name in names}
    references = {name: describe_backbone(spec) for name, spec in specs.items()}
    steps, megabytes = {}, {}
    for name, spec in specs.items():
        steps[name], megabytes[name] = build_step(spec)
    for backbone in set(references.values()):
        steps[backbone], _ = build_step(load_spec(PREFIX + REFERENCE, [BATCH_SIZE, f"model.backbone={backbone}"]))
    time_interleaved(steps, 2, time.process_time)
    seconds = time_interleaved(steps, arguments.rounds, time.process_time)
    medians = {name: taken["median"] for name, taken in seconds.items()}
    measured = {
        name: {
            "milliseconds": medians[name] * 1e3,
            "of SimCLR's time": medians[name] / medians[references[name]],
            "megabytes of the model": megabytes[name],
        }
        for name in sorted(names, key=medians.__getitem__)
    }
    for name, row in measured.items():
        print(f"{name:14}" + "".join(f"  {value:8.2f} {column}" for column, value in row.items()))
    kept = read_methods() if arguments.methods else {}
    write_results("method_steps", {"rounds": arguments.rounds, "methods": kept | measured})


def describe_backbone(spec: Spec) -> str:
    """Return the backbone of a spec as the value of an override."""
    return json.dumps(spec.to_dict()["model"].get("backbone", {"use": "convnet"}))


def read_methods() -> dict[str, Any]:
    """Return the results of earlier measurements."""
    methods: dict[str, Any] = json.loads(results_file("method_steps").read_text(encoding="utf-8"))["methods"]
    return methods


def build_step(spec: Spec) -> tuple[Callable[[], None], float]:
    """Return a training step of a spec on a fixed batch, and the megabytes of its model and its loss."""
    pipeline = assemble(spec)
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
