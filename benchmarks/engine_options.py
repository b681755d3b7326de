"""``engine.channels_last`` and ``engine.compile``: forward and backward of a backbone with each, compared with neither.

``python -m benchmarks.engine_options [--rounds 5] [--device cpu] [NETWORK…]`` measures a ResNet-18 at 224 pixels, one
for small images at 32 pixels, and a ViT-S/16 at 224 pixels, in float32 and with autocast to bfloat16. Losses,
optimizers and views are left out. The variants alternate in one process. Times are medians of wall-clock times; a ratio
below 1 is faster. The first step, which compiles, is listed and not in the other times. With names of networks, the
results of others stay.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import torch

import sslreg
from benchmarks._timing import results_file, synchronized, time_interleaved, write_results

VIT_SMALL = {"patch_size": 16, "width": 384, "depth": 12, "heads": 6}
#: The backbone, its parameters, the number of images and their size.
NETWORKS: dict[str, tuple[str, dict[str, Any], int, int]] = {
    "resnet18 at 224": ("resnet18", {}, 8, 224),
    "resnet18 at 32": ("resnet18", {"stem": "small"}, 32, 32),
    "vit-s/16 at 224": ("vit", VIT_SMALL, 8, 224),
}
PRECISIONS = {"32-true": False, "bf16-mixed": True}
#: Whether to use channels_last, and whether to compile.
VARIANTS = {
    "neither": (False, False),
    "channels_last": (True, False),
    "compile": (False, True),
    "both": (True, True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="steps of each variant, after one that is not measured")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where to compute")
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"all by default: {', '.join(NETWORKS)}")
    asked = parser.parse_args()
    path = results_file("engine_options", device=asked.device)
    rows = json.loads(path.read_text(encoding="utf-8"))["networks"] if asked.networks and path.exists() else {}
    for network in asked.networks or NETWORKS:
        for precision, autocast in PRECISIONS.items():
            rows[f"{network}, {precision}"] = row = measure(network, autocast, asked.rounds, asked.device)
            print(f"{network}, {precision}: " + ", ".join(f"{name} {value:.3g}" for name, value in row.items()))
    write_results("engine_options", {"rounds": asked.rounds, "networks": rows}, device=asked.device)


def measure(network: str, autocast: bool, rounds: int, device: str) -> dict[str, float]:
    """Return the milliseconds of a step without options, and the ratios of the others."""
    steps = {
        name: synchronized(build_step(network, autocast, *options, device), device)
        for name, options in VARIANTS.items()
    }
    first: dict[str, float] = {}
    for name, step in steps.items():
        start = time.perf_counter()
        step()
        first[name] = time.perf_counter() - start
    seconds = time_interleaved(steps, rounds)
    plain = seconds.pop("neither")
    return {
        "milliseconds": plain["median"] * 1e3,
        "slowest by fastest": plain["worst"] / plain["best"],
        **{name: taken["median"] / plain["median"] for name, taken in seconds.items()},
        "seconds of the first compiled step": first["compile"],
    }


def build_step(network: str, autocast: bool, channels_last: bool, compiled: bool, device: str) -> Callable[[], None]:
    """Return forward and backward of a network for fixed images."""
    name, params, images, size = NETWORKS[network]
    backbone: sslreg.Backbone = sslreg.build("backbone", name, **params).to(device).train()
    views = torch.randn(images, 3, size, size, device=device)
    if channels_last:
        backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        views = views.contiguous(memory_format=torch.channels_last)
    if compiled:
        backbone.compile()

    def step() -> None:
        backbone.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=autocast):
            features = backbone(views)
        features.float().mean().backward()

    return step


if __name__ == "__main__":
    main()
