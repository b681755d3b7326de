"""The kernels for CUDA give what torchvision gives, and what the same program gives on the CPU.

Where there is no GPU they run in Triton's interpreter, which has to be chosen before triton is imported: in a process
of its own. That they compile can be told without a GPU.
"""

# mypy: disable-error-code="import-untyped"
from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor
from torchvision.transforms.v2 import functional

import sslreg
from sslreg import Operation, ViewPlan, WithProbability
from sslreg.contracts import SampleKeys
from sslreg.registry import installed
from sslreg_augmentations import _fused_photometric
from sslreg_augmentations._opcodes import (
    BLUR,
    BRIGHTNESS,
    CONTRAST,
    GRAY,
    HUE,
    NO_OP,
    NORMALIZE,
    SATURATION,
    SOLARIZE,
)

pytest.importorskip("triton")

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"

#: Instructions and their numbers. Solarizing at 0.5 alone does not tear levels apart that differ by rounding.
NUMBERS = {
    NO_OP: (0.0, 0.0),
    BRIGHTNESS: (0.25, 1.75),
    CONTRAST: (0.25, 1.75),
    SATURATION: (0.25, 1.75),
    HUE: (-0.5, 0.5),
    GRAY: (0.0, 0.0),
    SOLARIZE: (0.5, 0.5),
    BLUR: (0.125, 2.5),
}
OF_COLOR = {SATURATION, HUE, GRAY}


@pytest.fixture
def backend() -> None:
    """These tests are of another one."""


@pytest.mark.slow
@pytest.mark.skipif(INTERPRETED, reason="this is it")
def test_kernels_in_the_interpreter() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n0", __file__]
    done = subprocess.run(command, env={**os.environ, "TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def photos(count: int, channels: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(count + 7 * width)
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator)


def on_device(images: Tensor, codes: Tensor, factors: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    from sslreg_augmentations._triton.photometry import run_programs

    return run_programs(images.to(DEVICE), codes, factors, mean, std, _fused_photometric.REACH)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, ...]:
    """Images, codes, factors, mean and deviation."""
    channels, height, width = draw(st.sampled_from([(3, 9, 11), (1, 5, 8), (2, 33, 34), (3, 1, 6), (3, 40, 32)]))
    kinds = [code for code in NUMBERS if channels in (1, 3) or code not in OF_COLOR]
    steps, count = draw(st.integers(1, 6)), draw(st.integers(2, 3))
    codes = [draw(st.lists(st.sampled_from(kinds), min_size=steps, max_size=steps)) for _ in range(count)]
    numbers = [[draw(st.floats(*NUMBERS[code], width=32)) for code in program] for program in codes]
    images = photos(count, channels, height, width)
    if draw(st.booleans()):
        images = images / 255
    ends = draw(st.sampled_from([NO_OP, NORMALIZE]))
    mean, std = torch.linspace(0.3, 0.6, channels), torch.linspace(0.5, 0.9, channels)
    return (
        images,
        torch.tensor([[*program, ends] for program in codes]),
        torch.tensor([[*row, 0.0] for row in numbers]),
        mean,
        std,
    )


@pytest.mark.gpu
@settings(max_examples=10 if INTERPRETED else 200, deadline=None)
@given(batches())
def test_programs_give_what_they_give_on_the_cpu_whatever_the_batch(batch: tuple[Tensor, ...]) -> None:
    images, codes, factors, mean, std = batch
    here = _fused_photometric.find_runner(images)
    assert here is not None
    got = on_device(*batch)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got.cpu(), here(images, codes, factors, mean, std), rtol=0, atol=1e-4)
    alone = on_device(images[1:], codes[1:], factors[1:], mean, std)
    assert torch.equal(alone, got[1:])


MEAN, STD = (0.3, 0.4, 0.5), (0.2, 0.3, 0.4)


def blurred(image: Tensor, sigma: float) -> Tensor:
    size = 2 * math.ceil(_fused_photometric.REACH * sigma) + 1
    return functional.gaussian_blur(  # type: ignore[no-any-return]
        image, [size, size], [sigma, sigma]
    )


#: An instruction, torchvision's operation, and the numbers for two images.
OPERATIONS: list[tuple[int, Callable[[Tensor, float], Any], tuple[float, float]]] = [
    (BRIGHTNESS, functional.adjust_brightness, (0.3, 1.4)),
    (CONTRAST, functional.adjust_contrast, (0.3, 1.4)),
    (SATURATION, functional.adjust_saturation, (0.3, 1.4)),
    (HUE, functional.adjust_hue, (-0.4, 0.2)),
    (GRAY, lambda image, _: functional.rgb_to_grayscale(image, num_output_channels=3), (0.0, 0.0)),
    (SOLARIZE, functional.solarize, (0.301, 0.7013)),  # between two levels
    (NORMALIZE, lambda image, _: functional.normalize(image, list(MEAN), list(STD)), (0.0, 0.0)),
    (BLUR, blurred, (0.3, 1.4)),
]


@pytest.mark.gpu
@pytest.mark.parametrize(("code", "operation", "numbers"), OPERATIONS)
def test_an_instruction_is_torchvisions_operation(
    code: int, operation: Callable[[Tensor, float], Any], numbers: tuple[float, float]
) -> None:
    levels, factors = photos(2, 3, 12, 17), torch.tensor(numbers)[:, None]
    floats = levels / 255
    expected = torch.stack([operation(image, number) for image, number in zip(floats, numbers, strict=True)])
    for images in (levels, floats):
        got = on_device(images, torch.full((2, 1), code), factors, torch.tensor(MEAN), torch.tensor(STD)).cpu()
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-3 if code == HUE else 1e-4)


@pytest.mark.gpu
def test_a_batch_that_begins_anywhere_in_memory_gives_the_same() -> None:
    images = photos(3, 1, 5, 5)
    codes, factors = torch.tensor([[CONTRAST, BLUR]] * 3), torch.tensor([[0.4, 1.0]] * 3)
    arguments = (codes[1:], factors[1:], torch.zeros(1), torch.ones(1))
    assert images[1:].data_ptr() % 16
    assert torch.equal(on_device(images[1:], *arguments), on_device(images[1:].clone(), *arguments))
    assert on_device(images[:0], codes[:0], factors[:0], *arguments[2:]).shape == (0, 1, 5, 5)


def operation(name: str, p: float = 1.0, **parameters: Any) -> Operation:
    one: sslreg.Augmentation = installed().get("augmentation", name).load()(**parameters)
    return Operation(name, WithProbability(one, p) if p < 1.0 else one)


@pytest.mark.gpu
@pytest.mark.parametrize("channels", [1, 3])
def test_a_view_finished_there_is_the_one_finished_here(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = ViewPlan(
        [
            operation("color_jitter", 0.8, brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2),
            operation("grayscale", 0.3),
            operation("gaussian_blur", 0.5, sigma=(0.1, 2.0)),
            operation("solarize", 0.3),
            operation("normalize", mean=0.0, std=1.0),
        ]
    )
    images = photos(6, channels, 20, 20)
    drawn = plan.draw(SampleKeys.of_samples(0, [0] * 6, list(range(6))), 0, list(images))
    here = plan.run(images, drawn, range(5))
    if INTERPRETED:
        from sslreg_augmentations._triton.photometry import run_programs

        monkeypatch.setattr(
            _fused_photometric, "find_runner", lambda images: partial(run_programs, reach=_fused_photometric.REACH)
        )
    there = plan.run(images.to(DEVICE), drawn, range(5))
    assert isinstance(here, Tensor)
    assert isinstance(there, Tensor)
    torch.testing.assert_close(there.cpu(), here, rtol=0, atol=2 / 255)


@pytest.mark.skipif(INTERPRETED, reason="is about compiling")
@pytest.mark.parametrize("name", ["_sum_levels", "_change_levels", "_blur_rows", "_blur_columns"])
def test_kernels_compile_for_an_h100(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import triton
    from triton.backends.compiler import GPUTarget

    from sslreg_augmentations._triton import photometry

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    kernel = getattr(photometry, name)
    levels = {"_sum_levels": "*u8", "_change_levels": "*u8"}.get(name, "*fp32")
    types = {"source": levels, "halfway": "*fp32", "out": "*fp32", "totals": "*i64", "values": "*i32", "scale": "fp32"}
    for constants in ({"rgb": True}, {"rgb": False, "channels": 1, "width": 1}):
        fixed = {
            key: value for key, value in {**constants, "block": photometry.BLOCK}.items() if key in kernel.arg_names
        }
        signature = {key: "constexpr" if key in fixed else types.get(key, "i32") for key in kernel.arg_names}
        numbers = {(kernel.arg_names.index(key),): value for key, value in fixed.items()}
        source = triton.compiler.ASTSource(kernel, signature, numbers)
        compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32))
        assert compiled.asm["cubin"]
