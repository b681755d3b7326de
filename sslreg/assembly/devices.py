"""The devices of this machine on which a spec trains, judged without Lightning."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from sslreg.spec import Spec
from sslreg.suggestions import did_you_mean

#: The accelerators that Lightning knows, with their names in this module.
_ACCELERATORS = ("auto", "gpu", "cpu", "cuda", "mps", "tpu")

#: The strategies that keep a run's promises: exact resuming, one loss on several devices, checkpoints of whole weights.
_STRATEGIES = (
    "auto",
    "single_device",
    "ddp",
    "ddp_find_unused_parameters_false",
    "ddp_find_unused_parameters_true",
)

#: The strategies that split a model among NVIDIA GPUs. They are passed to Lightning unchanged, and none has been tried.
_SHARDED_STRATEGIES = (
    "fsdp",
    "fsdp_cpu_offload",
    "deepspeed",
    "deepspeed_stage_1",
    "deepspeed_stage_2",
    "deepspeed_stage_2_offload",
    "deepspeed_stage_3",
    "deepspeed_stage_3_offload",
    "deepspeed_stage_3_offload_nvme",
)

#: The ways to write float16 mixed precision.
_HALF_MIXED = (16, "16", "16-mixed")

#: The precisions that need NVIDIA's library.
_TRANSFORMER_ENGINE = ("transformer-engine", "transformer-engine-float16")

#: The precisions in which weights are float64.
_DOUBLE = (64, "64", "64-true")

_OMIT = "omit trainer.accelerator and trainer.devices to use the best device"


@dataclass(frozen=True)
class Devices:
    """The devices of this machine that a spec uses.

    Attributes:
        type: the type, as in `torch.device`.
        count: the number of devices on this machine.
        processes: the number of devices on all machines together.
    """

    type: str
    count: int
    processes: int

    @property
    def memory(self) -> int | None:
        """The memory of one device in bytes; None if it is unknown."""
        if self.type == "cuda":
            return torch.cuda.get_device_properties(0).total_memory
        return host_memory()


def resolve_devices(spec: Spec) -> Devices:
    """Return the devices on which a spec trains, with ``auto`` resolved.

    Raises:
        UserError: this machine lacks the devices, or cannot use the strategy or the precision; the error has its
            location in the spec.
    """
    kind = _resolve_accelerator(spec)
    count = _count_devices(spec, kind)
    _check_strategy(spec, kind, count)
    _check_precision(spec, kind)
    return Devices(kind, count, count * int(spec.trainer.get("num_nodes", 1)))


def host_memory() -> int | None:
    """Return the memory of this machine in bytes; None if it is unknown."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None


def _resolve_accelerator(spec: Spec) -> str:
    name = str(spec.trainer.get("accelerator", "auto")).lower()
    is_available: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
        "cpu": lambda: True,
        "tpu": lambda: False,
    }
    if name not in _ACCELERATORS:
        raise _refuse(spec, "accelerator", f"there is no accelerator {name!r}", did_you_mean(name, _ACCELERATORS[:-1]))
    choices = {"auto": ("cuda", "mps", "cpu"), "gpu": ("cuda", "mps")}.get(name, (name,))
    for choice in choices:
        if is_available[choice]():
            return choice
    if name == "tpu":
        raise _refuse(spec, "accelerator", "TPUs are not supported", _OMIT)
    title = {"mps": "Apple GPU", "cuda": "NVIDIA GPU"}.get(name, "GPU")
    raise _refuse(spec, "accelerator", f"this machine has no {title}", _OMIT)


def _count_devices(spec: Spec, kind: str) -> int:
    devices = spec.trainer.get("devices", "auto")
    available = torch.cuda.device_count() if kind == "cuda" else 1
    if isinstance(devices, str):
        devices = _parse_devices(spec, devices)
    if devices == "auto":
        return available
    if kind == "cpu":
        if not isinstance(devices, int) or devices < 1:
            raise _refuse(spec, "devices", "on a CPU, devices is the number of processes, at least 1", _OMIT)
        return devices
    numbers = _number_devices(devices, available)
    if not numbers:
        raise _refuse(spec, "devices", "training needs at least one device", _OMIT)
    if len(set(numbers)) < len(numbers):
        raise _refuse(spec, "devices", "a device is named twice", "name each device once")
    if not all(0 <= number < available for number in numbers):
        raise _refuse(spec, "devices", f"this machine has {available} of these devices", _OMIT)
    return len(numbers)


def _number_devices(devices: int | list[int], available: int) -> list[int]:
    """Return the numbers of the devices: -1 means all of them, another number the first ones."""
    if devices in (-1, [-1]):
        return list(range(available))
    return list(range(devices)) if isinstance(devices, int) else devices


def _parse_devices(spec: Spec, text: str) -> Any:
    """Return the devices that a text lists: ``auto``, a number, or numbers with commas between them."""
    if text == "auto":
        return text
    try:
        numbers = [int(number) for number in text.split(",") if number.strip()]
    except ValueError:
        raise _refuse(spec, "devices", f"{text!r} names no devices", 'write auto, 2 or "0,1", for example') from None
    return numbers if "," in text else numbers[0] if numbers else []


def _check_strategy(spec: Spec, kind: str, count: int) -> None:
    strategy = spec.trainer.get("strategy", "auto")
    if strategy in _SHARDED_STRATEGIES:
        if kind != "cuda":
            raise _refuse(
                spec, "strategy", f"the strategy {strategy!r} needs NVIDIA GPUs", "use ddp, or omit the strategy"
            )
    elif strategy not in _STRATEGIES:
        raise _refuse(
            spec, "strategy", f"the strategy {strategy!r} is not supported", did_you_mean(strategy, _STRATEGIES)
        )
    if strategy == "single_device" and count > 1:
        raise _refuse(spec, "strategy", f"single_device cannot use {count} devices", "use ddp, or omit the strategy")


def _check_precision(spec: Spec, kind: str) -> None:
    precision = spec.trainer.get("precision")
    if kind == "cpu" and precision in _HALF_MIXED:
        # Lightning would silently use bf16-mixed instead.
        raise _refuse(spec, "precision", "float16 mixed precision needs a GPU", "on a CPU, use bf16-mixed or 32-true")
    if kind == "mps" and precision in _DOUBLE:
        raise _refuse(spec, "precision", "an Apple GPU has no float64", "use 32-true")
    if precision in _TRANSFORMER_ENGINE and (kind != "cuda" or not find_spec("transformer_engine")):
        raise _refuse(
            spec, "precision", f"{precision} needs an NVIDIA GPU and the package transformer_engine", "use bf16-mixed"
        )


def _refuse(spec: Spec, key: str, message: str, hint: str | None) -> Exception:
    return spec.error(("trainer", key), "trainer", message, hint)
