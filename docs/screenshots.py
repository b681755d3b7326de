"""Take the screenshots of the documentation: ``python docs/screenshots.py``. It needs chromium and chromedriver.

They show the pages of ``sslreg browse`` and a report: views of parts of scikit-learn's sample photographs, and three
short trainings on its digits, which take some minutes.
"""

from __future__ import annotations

import io
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait
from sklearn.datasets import load_sample_images

import sslreg
from sslreg.report import write_report
from sslreg_browser.http_server import Server, listen
from sslreg_browser.server import create_app
from sslreg_browser.workspace import Workspace

IMAGES = Path(__file__).parent / "images"

#: The width of the window in CSS pixels.
WIDTH = 1300

SPEC = """\
extends: folder-simclr
version: 1
name: photos
data: {train: {root: photos}}
views:
  - repeat: 2
    augment:
      - {use: random_resized_crop, size: 224, scale: [0.2, 1.0]}  # smaller crops showed only sky
      - {use: horizontal_flip, p: 0.5}
      - {use: color_jitter, p: 0.8, brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2}
      - {use: grayscale, p: 0.2}
      - {use: gaussian_blur, p: 0.5, sigma: [0.1, 2.0]}
      - {use: normalize, stats: imagenet}
"""

#: The runs by the names of their folders.
RUNS = {
    "digits/simclr": ("digits-simclr", []),
    "digits/simclr-without-blur": ("digits-simclr", ["views.0.augment.3.p=0"]),
    "digits/moco": ("digits-moco", []),
}
EPOCHS = 20

#: For each page of a spec or a run: its address, the script that prepares it, when it is ready, and its height.
Page = tuple[str, str, str, int]
VIEWS: Page = (
    "/views",
    """
    const slider = document.querySelector('[data-path="views.0.augment.4"] [aria-label="sigma 2"]');
    slider.value = 3;
    slider.dispatchEvent(new Event("input"));
    """,
    "document.querySelector('#difference .added') && document.querySelector('#plan table')",
    1150,
)
TABLE: Page = ("/runs", "", "document.querySelectorAll('.run-table tbody tr').length === 3", 560)
CURVES: Page = (
    "/runs/show?run=0&run=2",
    """
    const plot = document.querySelector(".plot"), box = plot.getBoundingClientRect();
    const place = { clientX: box.left + 0.4 * box.width, clientY: box.top + 9, bubbles: true };
    plot.dispatchEvent(new PointerEvent("pointermove", { ...place, pointerType: "mouse" }));
    """,
    "document.querySelector('.readout')",
    950,
)
FEATURES: Page = (
    "/features/0",
    "",
    "document.getElementById('stage').textContent === '' && document.querySelector('#draws img')"
    " && [...document.images].every((image) => image.complete)",
    1300,
)


def main() -> None:
    with tempfile.TemporaryDirectory() as root, start_browser() as browser:
        os.chdir(root)
        os.environ["XDG_CACHE_HOME"] = f"{root}/cache"
        write_photographs(Path("photos"))
        Path("photos.yaml").write_text(SPEC)
        for name, (spec, overrides) in RUNS.items():
            sslreg.train(sslreg.load_spec(spec, [*overrides, f"trainer.max_epochs={EPOCHS}"]), f"runs/{name}")
        with serve(Workspace(spec="photos.yaml", runs=Path("runs"))) as link:
            open_page(browser, f"{link}/?token=screenshots", "", "document.querySelector('main h1')", 900)
            for name, (path, script, condition, height) in {
                "browse-views": VIEWS,
                "browse-runs": TABLE,
                "browse-curves": CURVES,
                "browse-features": FEATURES,
            }.items():
                open_page(browser, link + path, script, condition, height)
                save(browser, name)
            browser.get("about:blank")
        write_report([Path("runs/digits/simclr"), Path("runs/digits/moco")], Path("report.html"))
        open_page(browser, Path("report.html").absolute().as_uri(), "", "document.querySelector('main')", 1100)
        save(browser, "report")


def write_photographs(folder: Path) -> None:
    """Write parts of the sample photographs as JPEG files."""
    folder.mkdir()
    random = np.random.default_rng(3)
    for number in range(8):
        photograph = load_sample_images().images[number % 2]
        top, left = random.integers(0, photograph.shape[0] - 300), random.integers(0, photograph.shape[1] - 400)
        Image.fromarray(photograph[top : top + 300, left : left + 400]).save(folder / f"{number}.jpg", quality=92)


@contextmanager
def start_browser() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-prefers-reduced-motion"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options)
    try:
        yield browser
    finally:
        browser.quit()


@contextmanager
def serve(workspace: Workspace) -> Iterator[str]:
    """Serve a workspace, and return the address."""
    with listen(0) as listener:
        server = Server(create_app(workspace, "screenshots"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.stop()
            thread.join()


def open_page(browser: webdriver.Chrome, address: str, script: str, condition: str, height: int) -> None:
    screen = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get(address)
    time.sleep(2)  # the scripts of the page start
    browser.execute_script(script)
    WebDriverWait(browser, 120).until(lambda _: browser.execute_script(f"return Boolean({condition})"), address)
    time.sleep(1)


def save(browser: webdriver.Chrome, name: str) -> None:
    picture = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    picture.save(IMAGES / f"{name}.webp", quality=85, method=6)


if __name__ == "__main__":
    main()
