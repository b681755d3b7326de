"""The cost of each loss, compared with a training step of a ResNet-18 without a loss.

``python -m benchmarks.loss_costs [--rounds 5] [LOSS…]`` measures forward, backward and commit of every registered loss
for 256 images. The shapes are those of the shipped Imagenette specs: their widths, prototypes and memory banks, and
Vision Transformers with 196 patches per image. Multi-crop losses get the ten crops of DINO, two global and eight local
ones. Rows with a bank of 65,536 keys, or an output of 8,192 or 65,536, have the shapes of ImageNet. DINOv2 with 65,536
outputs is left out, because the scores of its masked patches alone take 4 GB.

The step is forward and backward of a ResNet-18 for two views of 224 pixels. It is measured for 16 images and multiplied
by 16: the time of convolutions is in proportion to the images. Losses and the step alternate in one process. Times are
medians of wall-clock times; the range is that of all rounds.
"""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import sslreg
from benchmarks._timing import time_interleaved, write_results
from sslreg.contracts.loss import commit_staged
from sslreg.registry import installed

BATCH, STEP_BATCH, SIZE = 256, 16, 224
GLOBAL, LOCAL, PATCHES = 2, 8, 196
#: The share of patches that iBOT and DINOv2 mask: in half of the images, 30 % on average.
MASKED = 0.15


@dataclass(frozen=True)
class Case:
    """A loss, and what it gets in a step.

    Args:
        loss: The name of the loss.
        make_inputs: Returns the arguments of `forward`.
        params: The parameters of the loss.
        options: Keyword arguments of `forward`.
    """

    loss: str
    make_inputs: Callable[[], tuple[Any, ...]]
    params: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of each measurement")
    parser.add_argument("losses", nargs="*", metavar="LOSS", help="print these alone, such as 'dino*'")
    arguments = parser.parse_args()
    cases = {
        title: case
        for title, case in list_cases().items()
        if not arguments.losses or any(fnmatch.fnmatch(title, pattern) for pattern in arguments.losses)
    }
    candidates = {"a step": resnet_step(), **{title: loss_step(case) for title, case in cases.items()}}
    time_interleaved(candidates, 1)  # compiles kernels, and fills memory banks
    seconds = time_interleaved(candidates, arguments.rounds)
    scale = BATCH // STEP_BATCH
    step = {name: taken * scale for name, taken in seconds.pop("a step").items()}
    rows = {title: describe(taken, step["median"]) for title, taken in seconds.items()}
    rows = dict(sorted(rows.items(), key=lambda item: item[1]["percent of a step"], reverse=True))
    print(f"a step takes {step['median']:.1f} s ({step['best']:.1f} to {step['worst']:.1f})")
    for title, row in rows.items():
        print(f"{title:40} {row['milliseconds']:9.1f} ms ({row['range']}), {row['percent of a step']:.2g} % of a step")
    if not arguments.losses:
        about = {"rounds": arguments.rounds, "batch": BATCH, "seconds of a step": step}
        write_results("loss_costs", {**about, "losses": rows})


def describe(seconds: dict[str, float], step: float) -> dict[str, Any]:
    """Return the row of a loss, whose range has three digits like other figures of the tables."""
    best, worst = (float(f"{seconds[name] * 1e3:.3g}") for name in ("best", "worst"))
    return {
        "milliseconds": seconds["median"] * 1e3,
        "range": f"{best:,g}–{worst:,g}",
        "percent of a step": 100 * seconds["median"] / step,
    }


def resnet_step() -> Callable[[], None]:
    """Return forward and backward of two views of each image, whose gradient comes from the mean of the features."""
    backbone: nn.Module = sslreg.build("backbone", "resnet18").train()
    views = torch.randn(2 * STEP_BATCH, 3, SIZE, SIZE)

    def step() -> None:
        backbone.zero_grad()
        backbone(views).mean().backward()

    return step


def loss_step(case: Case) -> Callable[[], None]:
    """Return forward, backward and commit of a loss, on fixed inputs."""
    loss: nn.Module = sslreg.build("loss", case.loss, **case.params)
    inputs = case.make_inputs()
    tensors = list(find_tensors(inputs))

    def step() -> None:
        loss(*inputs, **case.options).backward()
        commit_staged(loss)
        for tensor in tensors:
            tensor.grad = None

    return step


def find_tensors(inputs: Iterable[Any]) -> Iterator[Tensor]:
    for each in inputs:
        if isinstance(each, Tensor):
            yield each
        else:
            yield from find_tensors(each)


def list_cases() -> dict[str, Case]:
    """Return the losses to measure.

    Raises:
        LookupError: A registered loss is missing.
    """
    cases = {**contrastive_cases(), **predictive_cases(), **clustering_cases(), **patch_cases()}
    registered = {info.name for info in installed().of_kind("loss") if info.distribution == "sslreg"}
    missing = registered - {case.loss for case in cases.values()}
    if missing:
        raise LookupError(f"no shapes for {', '.join(sorted(missing))}")
    return cases


def contrastive_cases() -> dict[str, Case]:
    def with_bank(size: int) -> dict[str, Any]:
        return {"temperature": 0.1, "memory_bank": {"use": "fifo", "size": size, "dim": 128, "fill": "random"}}

    return {
        "nt_xent": Case("nt_xent", lambda: embeddings(2, 128)),
        "nt_xent, bank of 4,096": Case("nt_xent", lambda: predicted(128), with_bank(4096)),
        "nt_xent, bank of 65,536": Case("nt_xent", lambda: predicted(128), with_bank(65536)),
        "dcl": Case("dcl", lambda: embeddings(2, 128)),
        "sup_con": Case("sup_con", lambda: embeddings(2, 128), options={"targets": torch.arange(BATCH) % 10}),
        "moco_v3": Case("moco_v3", lambda: predicted(256)),
    }


def predictive_cases() -> dict[str, Case]:
    """Return losses of embeddings without negatives."""
    return {
        "byol": Case("byol", lambda: predicted(256)),
        "simsiam": Case("simsiam", lambda: predicted(2048)),
        "barlow_twins": Case("barlow_twins", lambda: embeddings(2, 2048)),
        "vicreg": Case("vicreg", lambda: embeddings(2, 2048)),
        "lejepa": Case("lejepa", lambda: (embeddings(GLOBAL, 128), embeddings(LOCAL, 128))),
        "similarity_distillation, bank of 4,096": Case(
            "similarity_distillation",
            lambda: predicted(768),
            {"memory_bank": {"use": "fifo", "size": 4096, "dim": 768, "fill": "random"}},
        ),
    }


def clustering_cases() -> dict[str, Case]:
    """Return losses that compare distributions over prototypes, or over the outputs of a head."""

    def swav(queue: int) -> tuple[Any, ...]:
        queues = [torch.rand(queue, 3000) for _ in range(GLOBAL)]
        return embeddings(GLOBAL, 3000, cosine), embeddings(LOCAL, 3000, cosine), queues

    cases = {
        "swav": Case("swav", lambda: swav(0)),
        "swav, queues of 3,840": Case("swav", lambda: swav(3840)),
    }
    run = {"steps_per_epoch": 100}
    for outputs in (2048, 65536):
        inputs = partial(class_scores, outputs)
        cases[f"dino, {outputs:,} outputs"] = Case("dino", inputs, {"embedding_dim": outputs, **run})
    for outputs in (2048, 8192):
        inputs = partial(token_scores, outputs)
        cases[f"ibot, {outputs:,} outputs"] = Case("ibot", inputs, {"embedding_dim": outputs, **run})
        inputs = partial(token_scores, outputs, features=384)
        cases[f"dinov2, {outputs:,} outputs"] = Case("dinov2", inputs, run)
    return cases


def patch_cases() -> dict[str, Case]:
    """Return losses of all patches."""

    def features() -> tuple[Tensor, Tensor]:
        return learned(BATCH, PATCHES, 768), torch.randn(BATCH, PATCHES, 768)

    return {
        "mae": Case("mae", lambda: pixels(ratio=0.75)),
        "simmim": Case("simmim", lambda: pixels(ratio=0.6)),
        "ijepa": Case("ijepa", target_blocks),
        "feature_distillation, patches": Case("feature_distillation", features),
        "similarity_distillation, patches": Case("similarity_distillation", features),
    }


def learned(*shape: int) -> Tensor:
    return torch.randn(shape, requires_grad=True)


def cosine(*shape: int) -> Tensor:
    return (torch.rand(shape) * 2 - 1).requires_grad_()


def embeddings(views: int, dim: int, make: Callable[..., Tensor] = learned) -> tuple[Tensor, ...]:
    return tuple(make(BATCH, dim) for _ in range(views))


def predicted(dim: int) -> tuple[Tensor, Tensor]:
    """Return predictions, and targets without a gradient."""
    return learned(BATCH, dim), torch.randn(BATCH, dim)


def class_scores(outputs: int) -> tuple[tuple[Tensor, ...], list[Tensor]]:
    """Return the student's scores of all crops, and the teacher's of the global ones."""
    return embeddings(GLOBAL + LOCAL, outputs), [torch.randn(BATCH, outputs) for _ in range(GLOBAL)]


def token_scores(outputs: int, features: int = 0) -> tuple[Any, ...]:
    """Return scores of class tokens and masked patches, the masks, and class tokens of that many features, if any."""
    masks = torch.rand(GLOBAL, BATCH, PATCHES) < MASKED
    rows = int(masks.sum())
    class_tokens = (embeddings(GLOBAL, features),) if features else ()
    return *class_scores(outputs), learned(rows, outputs), torch.randn(rows, outputs), masks, *class_tokens


def pixels(ratio: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return predicted and actual pixels of patches of 16x16 pixels, and the masks."""
    width = 3 * 16**2
    return learned(BATCH, PATCHES, width), torch.randn(BATCH, PATCHES, width), torch.rand(BATCH, PATCHES) < ratio


def target_blocks() -> tuple[Tensor, Tensor, Tensor]:
    shape = (BATCH, 4, 36)
    return learned(*shape, 384), torch.randn(*shape, 384), torch.ones(shape, dtype=torch.bool)


if __name__ == "__main__":
    main()
