"""How long the pages of ``sslreg browse`` take to answer, and the memory of its server.

``python -m benchmarks.browse [--images 20000] [--requests 100]`` starts the command in a separate process, twice, and
sends it requests over HTTP:

* changed views: SimCLR's views of eight 500x375 JPEGs at 224 pixels, on one core. Each request changes the strength of
  the blur or of the colors; the answer has all pictures, the text of the spec and the findings.
* neighbors: the nearest images of one of 20,000, by raw pixels and by the untrained and trained features of width 512.
* an index: until the features of the 20,000 images and their first map can be used, embedded and from the cache.

Latencies are wall-clock time of the client, which reads the whole answer. Memory is what the server has resident after
the requests.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import sslreg
from benchmarks._timing import write_results
from benchmarks.views import jpegs

WARM_UP = 5

VIEWS = """
version: 1
name: photos
data:
  train: {use: image_folder, root: photos, labels: none}
  batch_size: 8
views:
  - repeat: 2
    augment:
      - {use: random_resized_crop, size: 224}
      - {use: horizontal_flip, p: 0.5}
      - {use: color_jitter, p: 0.8, brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2}
      - {use: grayscale, p: 0.2}
      - {use: gaussian_blur, p: 0.5, sigma: [0.1, 2.0]}
      - {use: normalize, stats: imagenet}
model: {use: simclr, backbone: {use: resnet18}}
loss: {use: nt_xent}
optimizer: {use: sgd, lr: 0.1}
trainer: {max_epochs: 1}
"""

FEATURES = """
version: 1
name: small
data:
  train: {use: image_folder, root: small, labels: none}
  batch_size: 64
views:
  - repeat: 2
    augment:
      - {use: random_resized_crop, size: 16}
      - {use: normalize, stats: imagenet}
model: {use: simclr, backbone: {use: convnet, width: 16, depth: 6}, projection: [64]}
loss: {use: nt_xent}
optimizer: {use: sgd, lr: 0.1}
trainer: {max_steps: 2, accelerator: cpu}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000, help="the number of images in the index")
    parser.add_argument("--requests", type=int, default=100, help="requests of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        os.environ["XDG_CACHE_HOME"] = f"{name}/cache"
        results = {"changed views, 8 images at 224": measure_views(options.requests)}
        write_small_images(options.images)
        Path("small.yaml").write_text(FEATURES)
        sslreg.train(sslreg.load_spec("small.yaml"), "run")
        results |= measure_features(options.images, options.requests)
    print(json.dumps(results, indent=2))
    write_results("browse", {"images": options.images, "requests": options.requests, **results})


def measure_views(requests: int) -> dict[str, float]:
    Path("photos").mkdir()
    for number, content in enumerate(jpegs(16, 500, 375)):
        Path(f"photos/{number}.jpg").write_bytes(content)
    Path("photos.yaml").write_text(VIEWS)
    core = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    with browse("photos.yaml", core=core) as server:
        views = server.get("/api/views/start")["views"]

        def change(number: int) -> None:
            blur, jitter = views[0]["augment"][4], views[0]["augment"][2]
            blur["sigma"] = [0.1, 2.0 + number % 7 / 10]
            jitter["brightness"] = 0.4 + number % 5 / 10
            shown = server.get("/api/views/show", {"views": views, "samples": 8})
            assert len(shown["pictures"]["rows"]) == 8

        return measure(change, requests) | {"server, MiB": server.memory()}


def measure_features(images: int, requests: int) -> dict[str, dict[str, float]]:
    results = {}
    random = np.random.default_rng(0)
    for state in ("embedded", "from the cache"):
        with browse("run", "--images", str(images)) as server:
            start = time.perf_counter()
            status = server.get("/api/features/0", {})
            while not status.get("has_map"):
                assert status["stage"] != "failed", status
                time.sleep(0.05)
                status = server.get("/api/features/0")
            results[f"index, {state}"] = {"seconds": round(time.perf_counter() - start, 2)}
            while server.get("/api/features/0")["stage"] != "ready":
                time.sleep(0.5)
            results[f"index, {state}"]["seconds with t-SNE"] = round(time.perf_counter() - start, 2)

            def search(_: int, server: Server = server) -> None:
                answer = server.get(f"/api/features/0/images/{random.integers(images)}/neighbors")
                assert len(answer["subjects"]) == 3

            neighbors = measure(search, requests) | {"server, MiB": server.memory()}
    return results | {f"neighbors among {images}": neighbors}


def measure(send: Callable[[int], None], requests: int) -> dict[str, float]:
    """Return the median and the 95th percentile of the milliseconds that requests take."""
    taken = []
    for number in range(WARM_UP + requests):
        start = time.perf_counter()
        send(number)
        taken.append(1e3 * (time.perf_counter() - start))
    parts = statistics.quantiles(taken[WARM_UP:], n=20)
    return {"median, ms": round(parts[9], 1), "95th percentile, ms": round(parts[18], 1)}


class Server:
    """A server that answers requests.

    Args:
        process: Its process.
        link: The link that it printed.
    """

    def __init__(self, process: subprocess.Popen[str], link: str) -> None:
        self._process = process
        self._root = link.partition("/?")[0]
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)
        self._opener.open(link).read()

    def get(self, path: str, content: Any = None) -> Any:
        """Return the JSON of an answer. content: sent as JSON, by POST."""
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self._root + path, body, {"Origin": self._root})
        return json.loads(self._opener.open(request, timeout=300).read())

    def memory(self) -> float:
        """Return the resident memory in MiB; 0 where the system does not tell it."""
        status = Path(f"/proc/{self._process.pid}/status")
        lines = status.read_text().splitlines() if status.exists() else ()
        return next((round(int(line.split()[1]) / 1024) for line in lines if line.startswith("VmRSS")), 0)


@contextmanager
def browse(target: str, *options: str, core: int | None = None) -> Iterator[Server]:
    """Run ``sslreg browse`` on all cores, or on one."""
    command = [sys.executable, "-m", "sslreg", "browse", target, "--no-open", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("open "))
        yield Server(process, line.split()[1])
    finally:
        process.terminate()
        process.wait()


def write_small_images(count: int) -> None:
    """Write parts of photographs as PNG files of 16x16 pixels."""
    Path("small").mkdir()
    photos = [np.asarray(Image.open(f"photos/{number}.jpg")) for number in range(16)]
    random = np.random.default_rng(0)
    for number in range(count):
        photo = photos[number % len(photos)]
        top, left = random.integers(0, photo.shape[0] - 16), random.integers(0, photo.shape[1] - 16)
        Image.fromarray(photo[top : top + 16, left : left + 16]).save(f"small/{number:05}.png")


if __name__ == "__main__":
    main()
