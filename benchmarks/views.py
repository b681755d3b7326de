"""Views compared with those of lightly and albumentations: the same recipe, one thread, with decoding.

``python -m benchmarks.views [--rounds 5]`` measures the milliseconds per image of the SimCLR recipe at 224 pixels from
500x375 JPEGs and from 12-megapixel ones, of the CIFAR recipe at 32 pixels, of DINO's multi-crop with six and with eight
small crops, and of a DataLoader with two workers. It also compares mean, deviation and sharpness of the views, to show
that the work is the same.

Times are processor time, on which other work on the machine has less influence; that of the DataLoader is wall time.
albumentations is measured if it is installed (``pip install albumentations==2.0.8``), with cv2's decoder.
"""

from __future__ import annotations

import argparse
import io
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from torch.utils.data import DataLoader

import sslreg
from benchmarks._timing import write_results
from sslreg import Collate, Operation, Sample, ViewPlan, WithProbability
from sslreg.views.malloc import keep_freed_memory

BATCH = 64
Work = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rounds", type=int, default=5, help="repetitions of each measurement; five times as many of the quick one"
    )
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    keep_freed_memory()
    photos, large, small = jpegs(BATCH, 500, 375), jpegs(4, 4000, 3000), thumbnails(4 * BATCH)
    results = {
        "simclr 224, 500x375 JPEG": compare(simclr_224(photos), len(photos), rounds),
        "simclr 224, 4000x3000 JPEG": compare(simclr_224(large), len(large), rounds),
        "simclr 32, pixels": compare(simclr_32(small), len(small), 5 * rounds),
        "dino 2x224 + 6x96, 500x375 JPEG": compare(dino(photos), len(photos), rounds),
        "multi-crop 2x224 + 8x96, 500x375 JPEG": compare(multi_crop(photos), len(photos), rounds),
        "DataLoader, two workers": compare(data_loaders(photos * 4), 4 * len(photos), rounds, time.perf_counter),
    }
    write_results(
        "views", {"rounds": rounds, "milliseconds per image": results, "statistics": compute_statistics(photos)}
    )


def compare(
    candidates: Mapping[str, Work], images: int, rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, float]:
    """Return the best milliseconds per image of each candidate. They alternate, so busy moments affect all."""
    best = dict.fromkeys(candidates, float("inf"))
    for run in candidates.values():
        run()
    for _ in range(rounds):
        for name, run in candidates.items():
            start = clock()
            run()
            best[name] = min(best[name], (clock() - start) / images * 1e3)
    for name, taken in best.items():
        print(f"  {name:32} {taken:8.3f} ms an image, {taken / best['sslreg']:6.2f} of sslreg")
    print()
    return best


# The candidates


def simclr_224(files: Sequence[bytes]) -> dict[str, Work]:
    """Return candidates that make two views of every file."""
    samples = [Sample(data, None, n, 0) for n, data in enumerate(files)]
    view = simclr(224, 1.0, 0.5)
    whole = Collate([view, view], channels=3)
    host = Collate([view, view], channels=3, device="cpu")
    theirs = lightly_simclr(224, 1.0, 0.5)
    work: dict[str, Work] = {
        "Pillow decoding alone": lambda: [pillow(data) for data in files],
        "sslreg decoding alone": lambda: [sslreg.load_image(data, 3) for data in files],
        "sslreg": lambda: whole(samples),
        "sslreg, photometry elsewhere": lambda: host(samples),
        "lightly": lambda: [theirs(Image.open(io.BytesIO(data)).convert("RGB")) for data in files],
    }
    if find_spec("albumentations"):
        work["albumentations"] = lambda: [albumented(data) for data in files]
        albumented = albumentations_simclr(224, 1.0, 0.5)
    return work


def simclr_32(images: Sequence[np.ndarray[Any, Any]]) -> dict[str, Work]:
    """Return candidates that make two views of every thumbnail, from pixels."""
    samples = [Sample(image.transpose(2, 0, 1), None, n, 0) for n, image in enumerate(images)]
    view = simclr(32, 0.5, 0.0)
    collate, theirs = Collate([view, view], channels=3), lightly_simclr(32, 0.5, 0.0)
    pillows = [Image.fromarray(image) for image in images]
    work: dict[str, Work] = {
        "sslreg": lambda: collate(samples),
        "lightly": lambda: [theirs(image) for image in pillows],
    }
    if find_spec("albumentations"):
        transform = albumentations_view(32, 0.5, 0.0)
        work["albumentations"] = lambda: [[transform(image=image)["image"] for _ in range(2)] for image in images]
    if find_spec("kornia"):
        batch = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy())
        batched = kornia_view(32, 0.5)
        work["kornia, batched"] = lambda: [batched(batch.float() / 255) for _ in range(2)]
    return work


def dino(files: Sequence[bytes]) -> dict[str, Work]:
    """Return candidates that make two global views of 224 pixels and six local ones of 96."""
    samples = [Sample(data, None, n, 0) for n, data in enumerate(files)]
    collate = Collate(dino_views(6), channels=3)
    from lightly.transforms import DINOTransform

    theirs = DINOTransform()
    return {
        "sslreg": lambda: collate(samples),
        "lightly": lambda: [theirs(Image.open(io.BytesIO(data)).convert("RGB")) for data in files],
    }


def multi_crop(files: Sequence[bytes]) -> dict[str, Work]:
    """Return candidates that make DINO's two global views, with and without eight local ones."""
    samples = [Sample(data, None, n, 0) for n, data in enumerate(files)]
    all_views, large_views = (Collate(dino_views(count), channels=3) for count in (8, 0))
    return {"sslreg": lambda: all_views(samples), "sslreg, the large crops alone": lambda: large_views(samples)}


def data_loaders(files: Sequence[bytes]) -> dict[str, Work]:
    """Return DataLoaders with two workers, with collation and transfer between processes."""
    view = simclr(224, 1.0, 0.5)
    ours = DataLoader(
        [Sample(data, None, n, 0) for n, data in enumerate(files)],  # type: ignore[arg-type]
        BATCH,
        num_workers=2,
        collate_fn=Collate([view, view], channels=3),
        persistent_workers=True,
    )
    theirs = DataLoader(
        Transformed(files, lightly_simclr(224, 1.0, 0.5)), BATCH, num_workers=2, persistent_workers=True
    )
    return {"sslreg": lambda: [None for _ in ours], "lightly": lambda: [None for _ in theirs]}


def compute_statistics(files: Sequence[bytes], views: int = 2000) -> dict[str, dict[str, float]]:
    """Return mean, standard deviation and sharpness (mean absolute Laplacian) of many views, ours and lightly's."""
    torch.manual_seed(0)
    view = simclr(224, 1.0, 0.5)
    collate, theirs = Collate([view, view], channels=3), lightly_simclr(224, 1.0, 0.5)
    made: dict[str, list[Tensor]] = {"sslreg": [], "lightly": []}
    for epoch in range(views // (2 * len(files)) + 1):
        batch = collate([Sample(data, None, n, epoch) for n, data in enumerate(files)])
        assert isinstance(batch, sslreg.Batch)
        made["sslreg"] += [summarize(one) for one in batch.views]
        pairs = [theirs(Image.open(io.BytesIO(data)).convert("RGB")) for data in files]
        made["lightly"] += [summarize(torch.stack(one)) for one in zip(*pairs, strict=True)]
    found = {
        name: dict(zip(("mean", "deviation", "sharpness"), torch.cat(rows).mean(dim=0).tolist(), strict=True))
        for name, rows in made.items()
    }
    for name, values in found.items():
        print(f"  {name:10} " + ", ".join(f"{what} {value:.4f}" for what, value in values.items()))
    return found


def summarize(views: Tensor) -> Tensor:
    """Return mean, standard deviation and mean absolute Laplacian (N, 3) of normalized views (N, 3, H, W)."""
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    levels = views * deviation + torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    laplacian = (
        4 * levels[..., 1:-1, 1:-1]
        - levels[..., :-2, 1:-1]
        - levels[..., 2:, 1:-1]
        - levels[..., 1:-1, :-2]
        - levels[..., 1:-1, 2:]
    )
    flat = levels.flatten(1)
    return torch.stack((flat.mean(1), flat.std(1), laplacian.abs().flatten(1).mean(1)), dim=1)


# The recipes


def operation(name: str, p: float = 1.0, **parameters: Any) -> Operation:
    one = sslreg.build("augmentation", name, **parameters)
    return Operation(name, WithProbability(one, p) if p < 1.0 else one)


def simclr(size: int, strength: float, blur: float) -> ViewPlan:
    factors = dict.fromkeys(("brightness", "contrast", "saturation"), 0.8 * strength)
    return ViewPlan(
        [
            operation("random_resized_crop", size=size),
            operation("horizontal_flip", 0.5),
            operation("color_jitter", 0.8, **factors, hue=0.2 * strength),
            operation("grayscale", 0.2),
            *([operation("gaussian_blur", blur, sigma=(0.1, 2.0))] if blur else []),
            operation("normalize", stats="imagenet"),
        ]
    )


def dino_view(size: int, scale: tuple[float, float], blur: float, solarize: float) -> ViewPlan:
    return ViewPlan(
        [
            operation("random_resized_crop", size=size, scale=scale),
            operation("horizontal_flip", 0.5),
            operation("color_jitter", 0.8, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1),
            operation("grayscale", 0.2),
            operation("gaussian_blur", blur, sigma=(0.1, 2.0)),
            operation("solarize", solarize),
            operation("normalize", stats="imagenet"),
        ]
    )


def dino_views(local: int) -> list[ViewPlan]:
    """Return the plans of two global views of 224 pixels and some local ones of 96."""
    first, second = ((1.0, 0.0), (0.1, 0.2))
    plans = [dino_view(224, (0.4, 1.0), blur=blur, solarize=solarize) for blur, solarize in (first, second)]
    return plans + [dino_view(96, (0.05, 0.4), blur=0.5, solarize=0.0)] * local


def lightly_simclr(size: int, strength: float, blur: float) -> Any:
    from lightly.transforms import SimCLRTransform

    return SimCLRTransform(input_size=size, cj_strength=strength, gaussian_blur=blur)


def albumentations_view(size: int, strength: float, blur: float) -> Any:
    import albumentations as A
    import cv2
    from albumentations.pytorch import ToTensorV2

    cv2.setNumThreads(0)
    return A.Compose(
        [
            A.RandomResizedCrop((size, size), scale=(0.08, 1.0)),
            A.HorizontalFlip(p=0.5),
            A.ColorJitter(0.8 * strength, 0.8 * strength, 0.8 * strength, 0.2 * strength, p=0.8),
            A.ToGray(p=0.2),
            *([A.GaussianBlur(blur_limit=0, sigma_limit=(0.1, 2.0), p=blur)] if blur else []),
            A.Normalize(),
            ToTensorV2(),
        ]
    )


def albumentations_simclr(size: int, strength: float, blur: float) -> Callable[[bytes], object]:
    import cv2

    transform = albumentations_view(size, strength, blur)

    def two_views(data: bytes) -> object:
        image = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        return [transform(image=image)["image"] for _ in range(2)]

    return two_views


def kornia_view(size: int, strength: float) -> Any:
    import kornia.augmentation as K

    return torch.nn.Sequential(
        K.RandomResizedCrop((size, size), scale=(0.08, 1.0)),
        K.RandomHorizontalFlip(),
        K.ColorJitter(0.8 * strength, 0.8 * strength, 0.8 * strength, 0.2 * strength, p=0.8),
        K.RandomGrayscale(p=0.2),
        K.Normalize(torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])),
    )


# The images


def photograph(number: int) -> np.ndarray[Any, Any]:
    """Return one of the two sample photographs of scikit-learn, 640x427."""
    image: np.ndarray[Any, Any] = load_sample_images().images[number % 2]
    return image


def jpegs(count: int, width: int, height: int) -> list[bytes]:
    """Return parts of the photographs as JPEGs of quality 92; small photographs are tiled, not enlarged."""
    random = np.random.default_rng(0)
    files = []
    for number in range(count):
        photo = photograph(number)
        tiles = (-(-height // photo.shape[0]), -(-width // photo.shape[1]), 1)
        photo = np.tile(photo, tiles)
        top, left = (
            random.integers(0, full - part + 1) for full, part in zip(photo.shape, (height, width), strict=False)
        )
        file = io.BytesIO()
        Image.fromarray(photo[top : top + height, left : left + width]).save(file, "JPEG", quality=92)
        files.append(file.getvalue())
    return files


def thumbnails(count: int) -> list[np.ndarray[Any, Any]]:
    """Return images (32, 32, 3) of parts of the photographs."""
    parts = (Image.open(io.BytesIO(data)).resize((32, 32)) for data in jpegs(count, 400, 400))
    return [np.array(part) for part in parts]


def pillow(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(data)))


class Transformed(torch.utils.data.Dataset[Any]):
    """A data set of files, with the transform of a peer."""

    def __init__(self, files: Sequence[bytes], transform: Any) -> None:
        self.files, self.transform = files, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Any:
        return self.transform(Image.open(io.BytesIO(self.files[index])).convert("RGB"))


if __name__ == "__main__":
    main()
