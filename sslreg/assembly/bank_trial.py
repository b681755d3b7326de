"""Tries the memory banks of a model or a loss: whether they are among its modules, and whether a step uses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from sslreg.assembly.builder import find_component
from sslreg.contracts import MemoryBank
from sslreg.contracts.memory_bank import find_banks
from sslreg.errors import Diagnostic
from sslreg.spec import ComponentSpec, Spec, find_components

#: Public attributes of a bank whose access is no use of its rows.
_NO_USE = frozenset([*dir(nn.Module), "commit", "discard", "hold", "require_nearest"])


def require_registered_banks(spec: Spec, owner: ComponentSpec, module: nn.Module) -> None:
    """Refuse a memory bank in the spec that is not among the modules of its owner.

    Raises:
        SpecError: training would neither fill nor save such a bank.
    """
    known = [find_component(spec, bank) for bank in find_banks(module)]
    for component in find_components(owner):
        if component.kind == "memory_bank" and component not in known:
            raise spec.error(
                component.path,
                "unused-bank",
                f"{owner.kind} {owner.use!r} does not store this memory bank as a module, so it is neither filled nor "
                "saved",
                f"remove it; the author of {owner.use!r} can store a list of banks in a torch.nn.ModuleList",
            )


def watch_banks(module: nn.Module) -> None:
    """Change the banks within a module, which must not be used after the trial, so that `find_unused_banks` works.

    They also tolerate what the meta device does not support.
    """
    for bank in find_banks(module):
        bank.__class__ = type(type(bank).__name__, (_WatchedBank, type(bank)), {})


def find_unused_banks(spec: Spec, owner: ComponentSpec, module: nn.Module) -> Iterator[Diagnostic]:
    """Yield a warning for each bank of a module that was not used since `watch_banks`."""
    for bank in find_banks(module):
        component = find_component(spec, bank)
        if component is not None and isinstance(bank, _WatchedBank) and not bank._is_used:
            yield spec.warning(
                component.path,
                "unused-bank",
                f"{owner.kind} {owner.use!r} does not use this memory bank: a step neither reads nor fills it",
                "remove it, or change the parameters that decide about its use",
            )


class _WatchedBank(MemoryBank):
    """A mixin for banks in a trial, which records that their rows are used."""

    _is_used = False

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and name not in _NO_USE:
            self.__dict__["_is_used"] = True
        return super().__getattribute__(name)

    def nearest(self, queries: Tensor) -> Tensor:
        find: Any = super().nearest
        try:
            found: Tensor = find(queries)
        except Exception as error:
            if find.__func__ is MemoryBank.nearest:
                raise ValueError(str(error)) from None  # the cause would pass for a limit of the meta device
            if not queries.is_meta:
                raise
            return torch.empty_like(queries, requires_grad=False)
        return found

    def enqueue(self, keys: Tensor) -> None:
        try:
            super().enqueue(keys)
        except Exception as error:
            # Most banks look at the values of the keys.
            if not keys.is_meta or isinstance(error, ValueError):
                raise
