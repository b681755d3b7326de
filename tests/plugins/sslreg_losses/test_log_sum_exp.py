"""The streamed sums equal those over the whole matrix, however the tiles fall, in bounded memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from sslreg_losses import _tiled_kernels
from sslreg_losses._log_sum_exp import log_sum_exp_across, log_sum_exp_within

sizes = st.integers(1, 24)
temperatures = st.sampled_from([0.001, 0.01, 0.02, 0.5, 10.0])
dtypes = st.sampled_from([torch.float32, torch.float64])


def rows_of(count: int, dtype: torch.dtype, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, 3, dtype=torch.float64, generator=generator)).to(dtype).requires_grad_()


def assert_sums(ours: Tensor, rows: list[Tensor], logits: Tensor, left_out: Tensor, temperature: float) -> None:
    expected = logits.masked_fill(left_out, -torch.inf).logsumexp(1)
    eps = torch.finfo(rows[0].dtype).eps
    torch.testing.assert_close(ours.double(), expected, rtol=4 * eps, atol=16 * eps / temperature)
    weights = torch.linspace(-1, 2, len(ours)).to(ours)
    got = torch.autograd.grad((ours * weights).sum(), rows)
    wanted = torch.autograd.grad((expected * weights).sum(), rows)
    for our, their in zip(got, wanted, strict=True):
        scale = len(ours) / temperature
        torch.testing.assert_close(our, their.to(our), rtol=0, atol=32 * eps * scale / min(temperature, 1))


@pytest.fixture(autouse=True, scope="module", params=[1, 3], ids=["one thread", "three threads"])
def threads_with_small_tiles(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_tiled_kernels, "CPU_SIDE", 4)
        yield request.param
    torch.set_num_threads(before)


@settings(deadline=None, max_examples=60)
@given(samples=st.integers(2, 13), views=st.integers(1, 4), temperature=temperatures, dtype=dtypes)
def test_within_equals_the_whole_matrix(samples: int, views: int, temperature: float, dtype: torch.dtype) -> None:
    rows = rows_of(samples * views, dtype)
    number = torch.arange(len(rows)) % samples
    logits = rows.double() @ rows.double().T / temperature
    ours = log_sum_exp_within(rows, temperature, samples)
    assert_sums(ours, [rows], logits, number[:, None] == number, temperature)


@settings(deadline=None, max_examples=60)
@given(count=sizes, candidates=sizes, leave_out=st.booleans(), temperature=temperatures, dtype=dtypes)
def test_across_equals_the_whole_matrix(
    count: int, candidates: int, leave_out: bool, temperature: float, dtype: torch.dtype
) -> None:
    samples = count + 1 if leave_out else 0
    rows, others = rows_of(count, dtype), rows_of(candidates + samples, dtype, seed=1)
    left_out = torch.arange(count)[:, None] == torch.arange(len(others)) % samples if samples else torch.tensor(False)
    logits = rows.double() @ others.double().T / temperature
    ours = log_sum_exp_across(rows, others, temperature, samples)
    assert_sums(ours, [rows, others], logits, left_out, temperature)


@pytest.mark.parametrize("temperature", [0.0005, 0.5])
def test_derivatives_are_those_of_finite_differences(temperature: float) -> None:
    rows, others = rows_of(7, torch.float64), rows_of(9, torch.float64, seed=1)
    scaled = temperature * 2
    within = lambda x: log_sum_exp_within(x * scaled, temperature, 3)  # noqa: E731
    across = lambda x, y: log_sum_exp_across(x * scaled, y, temperature)  # noqa: E731
    assert torch.autograd.gradcheck(within, [rows])
    assert torch.autograd.gradcheck(across, [rows, others])


def test_candidates_may_change_before_the_backward_pass() -> None:
    rows, bank = rows_of(7, torch.float64), rows_of(9, torch.float64, seed=1).detach()
    (expected,) = torch.autograd.grad(log_sum_exp_across(rows, bank, 0.5).sum(), [rows])
    sums = log_sum_exp_across(rows, bank, 0.5).sum()
    bank.zero_()
    (gradient,) = torch.autograd.grad(sums, [rows])
    torch.testing.assert_close(gradient, expected)


def test_sums_are_the_same_every_time_and_threads_stay_as_they_were(threads_with_small_tiles: int) -> None:
    rows = rows_of(40, torch.float32)
    runs = [torch.autograd.grad(log_sum_exp_within(rows, 0.5, 20).sum(), [rows])[0] for _ in range(5)]
    assert all(torch.equal(run, runs[0]) for run in runs)
    seen = [torch.get_num_threads()]
    other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert seen == [threads_with_small_tiles] * 2


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak memory from /proc")
def test_memory_grows_with_the_rows_alone() -> None:
    program = r"""
        import re, torch
        torch.set_num_threads(2)
        from sslreg_losses import NTXentLoss
        def peak():
            return 1024 * int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])
        views = [torch.randn(4096, 128, requires_grad=True) for _ in range(2)]
        NTXentLoss()(*(view[:8] for view in views)).backward()
        before = peak()
        NTXentLoss()(*views).backward()
        print(peak() - before)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert 1e6 < int(done.stdout) < 60e6, "one matrix of all logits alone would take 268 MB"
