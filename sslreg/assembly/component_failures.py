"""Names the component whose code raises an exception while it is used."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist

from sslreg.errors import INTERRUPTIONS, SslregError, describe_error
from sslreg.spec import ComponentSpec, Spec, find_components

#: Exceptions that are no fault of a component.
_MACHINE_FAILURES = (torch.OutOfMemoryError, MemoryError, dist.DistError)
#: Parts of the messages of torch's RuntimeErrors that are no fault of a component either.
_MACHINE_MESSAGES = ("DataLoader worker", "DefaultCPUAllocator", "Too many open files", "gloo", "NCCL", "CUDA error")
#: The packages that call components. What fails in them is no fault of a component that calls them back.
_CALLERS = ("lightning.", "sslreg.training.")


@contextmanager
def blame_components(spec: Spec, allowed: type[Exception] = SslregError) -> Iterator[None]:
    """Name the component and its package in an error for what the code of a spec's component raises in the block.

    Args:
        spec: the spec.
        allowed: exceptions that the contract allows, in addition to `SslregError`.

    Raises:
        SslregError: the code of a component raises something other than an `SslregError`.
    """
    try:
        yield
    except (*INTERRUPTIONS, SslregError, allowed):
        raise
    except (Exception, SystemExit) as error:
        if (explained := explain_component_failure(error, spec)) is None:
            raise
        raise explained from error


def explain_component_failure(error: BaseException, spec: Spec) -> SslregError | None:
    """Return the error that names the component that raised an exception; None if no component did.

    The component is the one whose method is the innermost in the traceback. The message also names those components
    within it that functions built, because they have no class by which to recognize them.
    """
    if is_machine_failure(error):
        return None
    description = describe_error(error)
    classes = {component.info.load(): component for component in spec.components()}
    frames = list(traceback.walk_tb(error.__traceback__))
    for number in reversed(range(len(frames))):
        if (component := _find_owner(frames[number][0], classes)) is not None:
            nested = [one for one in find_components(component)[1:] if not isinstance(one.info.load(), type)]
            names = ", ".join(str(one.info) for one in (component, *nested))
            verb = "ends the program" if isinstance(error, SystemExit) else f"raises {description}"
            return SslregError(f"{names} {verb} ({_locate(frames[number:])})", code="broken-component")
        if _module(frames[number][0]).startswith(_CALLERS):
            return None
    return None


def is_machine_failure(error: BaseException) -> bool:
    """Return whether an exception comes from memory, a device, or the connection to another process."""
    is_unnamed = isinstance(error, RuntimeError) and any(part in describe_error(error) for part in _MACHINE_MESSAGES)
    return is_unnamed or isinstance(error, _MACHINE_FAILURES)


def _find_owner(frame: FrameType, classes: dict[Any, ComponentSpec]) -> ComponentSpec | None:
    """Return the component whose method runs in a frame: the frame's first argument is an instance of its class."""
    code = frame.f_code
    if not code.co_argcount:
        return None
    owner = frame.f_locals.get(code.co_varnames[0])
    return next((classes[base] for base in type(owner).__mro__ if base in classes), None)


def _locate(frames: list[tuple[FrameType, int]]) -> str:
    """Return the file and the line of the innermost frame that is in the package of the first one."""
    package = _module(frames[0][0]).partition(".")[0]
    frame, line = next(one for one in reversed(frames) if _module(one[0]).partition(".")[0] == package)
    return f"{frame.f_code.co_filename}:{line}"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
