"""The cost of MAE's encoder, which drops three quarters of the patches, compared with that of the whole image.

``python -m benchmarks.dropped_patches [--rounds 9]`` encodes 8 images of 224x224 pixels with a ViT-S/16, forward and
backward: all 196 patches, and the 49 patches that MAE's masks leave. The two alternate. Times are medians of
processor time, with one thread of torch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

import sslreg
from benchmarks._timing import time_interleaved, write_results
from sslreg.contracts import SampleKeys

BATCH, SIZE = 8, 224


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="repetitions, after one that is not measured")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    candidates = build_candidates()
    time_interleaved(candidates, 1, time.process_time)
    seconds = time_interleaved(candidates, rounds, time.process_time)
    medians = {name: taken["median"] for name, taken in seconds.items()}
    whole = medians["all patches"]
    results = {name: {"seconds": median, "of all patches": median / whole} for name, median in medians.items()}
    for name, row in results.items():
        print(f"{name:14}" + "".join(f"  {value:8.3f} {column}" for column, value in row.items()))
    write_results("dropped_patches", {"rounds": rounds, "batch": BATCH, "encoder": results})


def build_candidates() -> dict[str, Callable[[], None]]:
    """Return a forward and backward pass of the encoder with all patches, and with those that MAE keeps."""
    torch.manual_seed(0)
    vit = {"image_size": SIZE, "patch_size": 16, "width": 384, "depth": 12, "heads": 6}
    backbone = sslreg.build("backbone", "vit", **vit).train()
    images = torch.rand(BATCH, 3, SIZE, SIZE)
    sampler = sslreg.build("mask_sampler", "random", ratio=0.75)
    masks = sampler.sample(SampleKeys.of_samples(0, [0] * BATCH, range(BATCH)), backbone.grid(images))

    def encode(keep: Tensor | None) -> None:
        prefix, patches = backbone.tokens(images, keep=keep)
        (prefix.sum() + patches.square().mean()).backward()
        backbone.zero_grad()

    kept = sslreg.patch_indices(masks.context)
    return {"all patches": lambda: encode(None), "49 of 196": lambda: encode(kept)}


if __name__ == "__main__":
    main()
