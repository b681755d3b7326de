"""Scheduled values: the papers' formulas, and a step that survives a checkpoint."""

from __future__ import annotations

import math

import pytest

import sslreg


def advance(value: sslreg.ScheduledValue, steps: int) -> float:
    for _ in range(steps):
        value.advance()
    return value.value


@pytest.mark.parametrize("step", [0, 1, 37, 100])
def test_a_cosine_value_is_the_target_momentum_of_byol(step: int) -> None:
    expected = 1 - (1 - 0.996) * (math.cos(math.pi * step / 100) + 1) / 2
    assert advance(sslreg.CosineValue(0.996, 1.0, 100), step) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(("step", "expected"), [(0, 0.04), (15, 0.055), (30, 0.07), (31, 0.07)])
def test_a_linear_value_stays_at_its_end(step: int, expected: float) -> None:
    assert advance(sslreg.LinearValue(0.04, 0.07, 30), step) == pytest.approx(expected, abs=1e-15)


def test_the_step_is_part_of_the_state() -> None:
    value, restored = sslreg.CosineValue(0.9, 1.0, 10), sslreg.CosineValue(0.9, 1.0, 10)
    advance(value, 4)
    restored.load_state_dict(value.state_dict())
    assert restored.value == value.value
    assert advance(restored, 3) == advance(value, 3)


def test_a_step_counter_continues_from_a_checkpoint() -> None:
    counter, restored = sslreg.StepCounter(), sslreg.StepCounter()
    for _ in range(3):
        counter.advance()
    restored.load_state_dict(counter.state_dict())
    restored.advance()
    assert (counter.step, restored.step) == (3, 4)


def test_without_steps_the_value_is_the_end() -> None:
    assert sslreg.LinearValue(1.0, 0.5, 0).value == 0.5


def test_a_negative_number_of_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        sslreg.LinearValue(0.0, 1.0, -1)
