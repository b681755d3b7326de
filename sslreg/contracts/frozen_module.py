"""Frozen modules: external teachers, which are used in training and never trained."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def frozen(module: ModuleT) -> ModuleT:
    """Return a module for use as an external teacher: ``self.teacher = sslreg.frozen(teacher)``.

    * It stays in eval mode, and its methods run without gradients.
    * It moves with its parent to another device, but keeps its data type, also if the training has another precision.
      A module in half precision, such as ``teacher.half()``, computes in it, and returns the type of its input.
    * It is no part of its parent's parameters and state: neither of the optimizer, nor of checkpoints, weight averages
      and gradient reduction. Copies of the parent share it.
    * Its attributes and methods are those of the module, but it is no instance of the module's class.

    A run resumes only with the same weights, of which a checkpoint holds the SHA-256. A trained run is loaded without
    them, with random ones. So do not use it for what is used after training. Frozen layers that are a part of the
    method, such as MoCo v3's random patch projection, are ordinary parameters with ``requires_grad_(False)``.

    Args:
        module: the teacher, which is changed in place. Its parent must not refer to it in another way.
    """
    return cast("ModuleT", FrozenModule(module))


class FrozenModule(nn.Module):
    """A module that hides another one from its parent, see `frozen`.

    Args:
        wrapped: the hidden module.
    """

    wrapped: nn.Module

    def __init__(self, wrapped: nn.Module) -> None:
        super().__init__()
        # Not as a submodule, which would be in the state and the parameters of the parent.
        self.__dict__["wrapped"] = wrapped.eval().requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> FrozenModule:
        """Stay in eval mode."""
        return super().train(False)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module."""
        return self._call(self.wrapped, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if "wrapped" not in self.__dict__:  # it is being unpickled
                raise
        value = getattr(self.wrapped, name)
        return partial(self._call, value) if inspect.ismethod(value) else value

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenModule:
        return FrozenModule(self.wrapped)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> FrozenModule:
        def move(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        self.wrapped._apply(move, recurse)  # type: ignore[no-untyped-call]
        return self

    @torch.no_grad()
    def _call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function of the module in its data type, and return the type of the first input."""
        tensors = (*self.wrapped.parameters(), *self.wrapped.buffers())
        weight = next(filter(torch.is_floating_point, tensors), None)
        given = next((one.dtype for one in tree_flatten((args, kwargs))[0] if _is_floating(one)), None)
        if weight is None or given is None or _follows_autocast(weight):
            return function(*args, **kwargs)
        args, kwargs = _cast((args, kwargs), weight.dtype)
        with _without_autocast(weight.device.type):
            return _cast(function(*args, **kwargs), given)

    def sha256(self) -> str:
        """Return the SHA-256 of the module's state, computed once."""
        digest: str | None = self.__dict__.get("_sha256")
        if digest is None:
            digest = self.__dict__["_sha256"] = _hash_state(self.wrapped)
        return digest


def _is_floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _follows_autocast(weight: Tensor) -> bool:
    """Return whether autocast, which is made for float32 weights, chooses the type of each operation."""
    return weight.dtype == torch.float32 and not weight.is_meta and torch.is_autocast_enabled(weight.device.type)


def _without_autocast(device_type: str) -> AbstractContextManager[Any]:
    return nullcontext() if device_type == "meta" else torch.autocast(device_type, enabled=False)


def _cast(values: Any, dtype: torch.dtype) -> Any:
    """Return nested values with all floating-point tensors in a data type."""
    return tree_map(lambda value: value.to(dtype) if _is_floating(value) else value, values)


def _hash_state(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        if isinstance(value, Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
