"""Descriptions of exceptions from any library."""

from __future__ import annotations

import pytest
import torch

from sslreg.errors import describe_error


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise KeyError


def test_an_exception_is_described_by_its_type_and_message() -> None:
    assert describe_error(ValueError("too small")) == "ValueError: too small"
    assert describe_error(ValueError()) == "ValueError"


def test_an_exception_without_a_printable_message_is_described() -> None:
    assert "__str__ raises KeyError" in describe_error(UnprintableError())


def test_a_stack_of_cpp_frames_is_left_out() -> None:
    with pytest.raises((TypeError, RuntimeError)) as caught:
        torch.zeros(10**30, 0)
    assert "frame #" not in describe_error(caught.value)
    assert "Overflow" in describe_error(caught.value)
