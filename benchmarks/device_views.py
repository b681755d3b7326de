"""Views on a GPU compared with kornia, torchvision v2 and the memory bandwidth of the card.

``python -m benchmarks.device_views [--rounds 15] [--batch 256]`` measures the SimCLR recipe at 224 pixels after the
crop: uint8 images on the GPU are jittered, blurred and normalized in float32. Images and recipe are the same for all.
sslreg draws before, as the workers of the data loader do; the peers draw during the measurement. kornia is measured if
it is installed. torchvision v2 draws once for all its images, so it gets one image at a time.

Times are medians of CUDA events over rounds in which the candidates alternate. "with the host" starts from an idle GPU
and includes the work of the host; "on the GPU" is the time once the host is ahead, as in training. The limit is the
time in which the card copies as many bytes as must be read and written. Without a GPU, ``--device cpu`` runs the
program on a few images and writes nothing.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._timing import write_results
from benchmarks.views import photograph, simclr
from sslreg import ViewPlan
from sslreg.contracts import SampleKeys

Work = Callable[[], object]

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
#: Batches of one measurement.
TIMES = 4
#: Cycles for which the GPU waits until the host has queued a whole measurement: some 100 ms.
WAIT_CYCLES = 200_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="repetitions of each measurement")
    parser.add_argument("--batch", type=int, default=256, help="images of a batch")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    asked = parser.parse_args()
    if asked.device == "cpu":
        candidates = make_candidates(photographs(4, 64))
        for name, run in candidates.items():
            run()
            print(f"  {name} runs")
        return
    if not torch.cuda.is_available():
        parser.error("there is no GPU to measure; --device cpu runs the program on a few images")
    images = photographs(asked.batch, 224).cuda()
    candidates = make_candidates(images)
    times = measure(candidates, asked.rounds)
    limit = (1 + 4) * images.numel() / measure_bandwidth()
    results = {
        name: {
            "images per second, with the host": len(images) / times[name]["with the host"],
            "images per second, on the GPU": len(images) / times[name]["on the GPU"],
            "of the limit's time": times[name]["on the GPU"] / limit,
            "peak MiB beside the images": measure_peak_memory(run) / 2**20,
        }
        for name, run in candidates.items()
    }
    for name, figures in results.items():
        print(f"  {name:24}" + ", ".join(f"{what} {value:,.2f}" for what, value in figures.items()))
    print(f"  {'the limit':24}images per second {len(images) / limit:,.0f}")
    about = {"rounds": asked.rounds, "batch": len(images), "limit, images per second": len(images) / limit}
    write_results("device_views", {**about, "at 224": results}, device="cuda")


# The candidates


def make_candidates(images: Tensor) -> dict[str, Work]:
    """Return candidates that run the recipe on images (N, 3, H, W), uint8, on their device."""
    plan = ViewPlan(simclr(224, 1.0, 0.5).operations[2:])
    keys = SampleKeys.of_samples(0, [0] * len(images), list(range(len(images))))
    drawn = plan.draw(keys, 0, list(images))
    candidates: dict[str, Work] = {"sslreg": lambda: plan.run(images, drawn, range(len(plan.steps)))}
    one_by_one = torchvision_view()
    candidates["torchvision v2"] = lambda: torch.stack([one_by_one(image) for image in images])
    if find_spec("kornia"):
        batched = kornia_view(images.device)
        candidates["kornia"] = lambda: batched(images.float() / 255)
    return candidates


def torchvision_view() -> Any:
    from torchvision.transforms import v2

    return v2.Compose(
        [
            v2.ToDtype(torch.float32, scale=True),
            v2.RandomApply([v2.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(13, (0.1, 2.0))], p=0.5),
            v2.Normalize(MEAN, STD),
        ]
    )


def kornia_view(device: torch.device) -> Any:
    import kornia.augmentation as K

    return torch.nn.Sequential(
        K.ColorJitter(0.8, 0.8, 0.8, 0.2, p=0.8),
        K.RandomGrayscale(p=0.2),
        K.RandomGaussianBlur((13, 13), (0.1, 2.0), p=0.5),
        K.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
    ).to(device)


# The measurement


def measure(candidates: Mapping[str, Work], rounds: int) -> dict[str, dict[str, float]]:
    """Return the median seconds per batch of each candidate, with the time of the host and without."""
    seconds: dict[str, dict[str, list[float]]] = {name: {"with the host": [], "on the GPU": []} for name in candidates}
    for run in candidates.values():
        run()
    for _ in range(rounds):
        for name, run in candidates.items():
            for kind, taken in seconds[name].items():
                taken.append(measure_seconds(run, wait=WAIT_CYCLES if kind == "on the GPU" else 0) / TIMES)
    return {name: {kind: statistics.median(taken) for kind, taken in kinds.items()} for name, kinds in seconds.items()}


def measure_seconds(run: Work, wait: int = 0) -> float:
    """Return the seconds of the GPU for `TIMES` runs. wait: the cycles for which it waits before."""
    torch.cuda.synchronize()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    if wait:
        torch.cuda._sleep(wait)  # type: ignore[no-untyped-call]
    start.record()
    for _ in range(TIMES):
        run()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) / 1e3


def measure_bandwidth() -> float:
    """Return the bytes per second that the card reads and writes when it copies a gigabyte in its memory."""
    source = torch.empty(2**28, dtype=torch.float32, device="cuda")
    target = torch.empty_like(source)
    taken = [measure_seconds(lambda: target.copy_(source), wait=WAIT_CYCLES) / TIMES for _ in range(10)]
    return 2 * source.numel() * source.element_size() / statistics.median(taken)


def measure_peak_memory(run: Work) -> int:
    """Return the most bytes that a run allocates in addition to those before it."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def photographs(count: int, side: int) -> Tensor:
    """Return parts of two photographs, uint8 (count, 3, side, side)."""
    random = np.random.default_rng(0)
    parts = []
    for number in range(count):
        photo = photograph(number)
        top, left = (int(random.integers(0, full - side + 1)) for full in photo.shape[:2])
        parts.append(photo[top : top + side, left : left + side].transpose(2, 0, 1))
    return torch.from_numpy(np.stack(parts))


if __name__ == "__main__":
    main()
