"""Fixtures that many tests share: a tiny run, image files of all sorts, plugins on the path, a wheel, a browser."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import sslreg
from sslreg import Run
from sslreg.cli import main
from sslreg.registry import installed
from sslreg.spec import parse_spec

#: SimCLR on the digits, as small as possible.
TINY = """
version: 1
name: tiny
data:
  train: {use: digits, split: train}
  test: {use: digits, split: test}
  channels: 1
  batch_size: 64
views:
  - repeat: 2
    augment:
      - {use: random_resized_crop, size: 8, scale: [0.5, 1.0]}
      - {use: normalize, mean: [0.5], std: [0.5]}
model: {use: simclr, backbone: {use: convnet, width: 8, depth: 3}, projection: [32, 16]}
loss: {use: nt_xent}
optimizer: {use: sgd, lr: 0.1, momentum: 0.9}
schedule: {use: cosine}
trainer: {max_epochs: 2, accelerator: cpu}
evaluate:
  - {use: few_shot, draws: 5}
  - {use: knn, every: 1, as: neighbors}
"""


#: The number of processes of pytest-xdist.
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))

# Tests would otherwise reuse baselines of earlier tests. Those of the cache enable it.
os.environ["SSLREG_BASELINE_CACHE"] = "off"

if WORKERS > 1:
    # Commands that tests start should not compete for the cores of the other test processes.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of a folder, which share costly fixtures, in one process; `independent` ones in any process."""
    if WORKERS > 1:
        for item in items:
            independent = item.get_closest_marker("independent") is not None
            item.add_marker(pytest.mark.xdist_group(item.nodeid if independent else str(item.path.parent)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests that need a GPU where there is none, unless the interpreter of Triton stands in for it."""
    if item.get_closest_marker("gpu") and os.environ.get("TRITON_INTERPRET") != "1":
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a GPU")


@pytest.fixture
def time_limit() -> Iterator[None]:
    """End a test that waits for more than 20 seconds, also in a system call."""

    def stop(*_: object) -> None:
        raise AssertionError("it waits for more than 20 seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def record_difference() -> Callable[[str, str, float], None]:
    """Record the largest difference that a test finds, by method and check, for `make evidence`.

    SSLREG_DIFFERENCES names the file, which gets a line of JSON for each. Without it, nothing is recorded.
    """

    def record(method: str, check: str, difference: float) -> None:
        if path := os.environ.get("SSLREG_DIFFERENCES"):
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps([method, check, difference]) + "\n")

    return record


@pytest.fixture(scope="session", autouse=True)
def use_one_thread() -> Iterator[None]:
    """Use one thread: for the small tensors of tests, threads cost more than they save."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_spec() -> str:
    return TINY


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run, read-only."""
    return sslreg.train(parse_spec(TINY, "tiny.yaml"), tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="session")
def patch_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run whose backbone divides images into 4x4 patches, read-only."""
    backbone = "model.backbone={use: vit, patch_size: 2, width: 16, depth: 1, heads: 2}"
    spec = parse_spec(TINY, "patches.yaml", [backbone, "name=patches", "trainer.max_steps=2", "evaluate=[]"])
    return sslreg.train(spec, tmp_path_factory.mktemp("runs") / "patches")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A nested folder of images of mixed sizes, modes and formats, with one file that is not an image."""
    root = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)

    def pixels(height: int, width: int, channels: int) -> np.ndarray:
        coarse = generator.integers(0, 256, (6, 8, channels), dtype=np.uint8)
        return np.kron(coarse, np.ones((height // 6, width // 8, 1), dtype=np.uint8))

    color = Image.fromarray(pixels(60, 80, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was rotated by 90 degrees
    (root / "trip" / "day 2").mkdir(parents=True)
    color.save(root / "rgb.jpg")
    color.save(root / "trip" / "turned.jpeg", exif=exif)
    Image.fromarray(pixels(90, 48, 1)[..., 0]).save(root / "trip" / "gray.jpg")
    Image.fromarray(pixels(48, 96, 4)).save(root / "trip" / "alpha.png")
    color.convert("CMYK").save(root / "trip" / "day 2" / "cmyk.jpg")
    color.convert("P").save(root / "trip" / "day 2" / "palette.gif")
    color.resize((120, 96)).save(root / "trip" / "day 2" / "photo.webp")
    color.save(root / "trip" / "photo.bmp")
    (root / "notes.txt").write_text("not an image")
    return root


@dataclass(frozen=True)
class Site:
    """A folder on the path with modules and distribution metadata, as pip installs them."""

    path: Path

    def install(self, distribution: str, source: str | None, entry: str | None = None) -> str:
        """Add a distribution with one plugin module, and return the name of the module.

        Args:
            distribution: the name of the distribution.
            source: the code of the module; None leaves an entry point that leads nowhere.
            entry: the name of the entry point; by default that of the distribution.
        """
        module = f"plugin_{distribution}_{self.path.name}".replace("-", "_")
        if source is not None:
            (self.path / f"{module}.py").write_text(source)
        metadata = self.path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[sslreg]\n{entry or distribution} = {module}\n")
        return module


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A folder whose plugins discovery finds until the test ends."""
    folder = tmp_path / f"site_{tmp_path.name}"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    installed.cache_clear()
    yield Site(folder)
    installed.cache_clear()


@dataclass(frozen=True)
class CommandResult:
    status: int
    out: str
    err: str


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    """Runs ``sslreg ARGUMENTS``. An exception other than SystemExit, which a user would see as a traceback, fails."""

    def run(*arguments: object) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["sslreg", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        captured = capsys.readouterr()
        return CommandResult(status, captured.out, captured.err)

    return run


def run_command(*command: object, cwd: Path, **environment: str) -> str:
    """Run a command without the Python settings of this process, and return its output; fail with the output."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SSLREG"))}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=inherited | {"SSLREG_BASELINE_CACHE": "off"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@dataclass(frozen=True)
class Environment:
    """A separate virtual environment."""

    path: Path

    def python(self, *arguments: object, cwd: Path) -> str:
        return run_command(self.path / "bin" / "python", *arguments, cwd=cwd)

    def sslreg(self, *arguments: object, cwd: Path) -> str:
        return run_command(self.path / "bin" / "sslreg", *arguments, cwd=cwd)

    def install(self, *requirements: object) -> None:
        """Install without dependencies and without a network."""
        self.python(
            *("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", *requirements),
            cwd=self.path,
        )

    def uninstall(self, distribution: str) -> None:
        self.python("-m", "pip", "uninstall", "--quiet", "--yes", distribution, cwd=self.path)


@pytest.fixture(scope="session")
def wheel_environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheel of sslreg, and with the dependencies of this environment but not its sslreg."""
    folder = tmp_path_factory.mktemp("wheel")
    # hatchling is installed with the tests, so building needs no network.
    root = Path(__file__).parents[1]
    run_command(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, cwd=root)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=True, symlinks=True)
    environment = Environment(folder / "env")
    dependencies = folder / "dependencies"
    dependencies.mkdir()
    (here,) = {path for path in map(Path, sys.path) if path.name == "site-packages"}
    for entry in here.iterdir():
        if "sslreg" not in entry.name:
            (dependencies / entry.name).symlink_to(entry)
    (site_packages,) = (folder / "env" / "lib").glob("python*/site-packages")
    (site_packages / "dependencies.pth").write_text(f"{dependencies}\n")
    environment.install(wheel)
    return environment


#: Chromium without a window and without background requests.
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Headless Chromium; skips the test without it."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and chromedriver):
        pytest.skip("chromium and chromedriver are not on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
    yield driver
    driver.quit()
