"""The kinds of components. A kind is declared here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import Ge, Interval


@dataclass(frozen=True)
class Kind:
    """One kind of component.

    name: as plugins and messages write it (``memory_bank``).
    contract: the class that components of the kind derive from, as an import string; a constructor parameter
        annotated with that class is a slot for a nested component of the kind. None: the kind has no slot.
    takes: how many leading constructor arguments the run passes by position. An optimizer's first argument
        is its parameter groups and a schedule's is its optimizer, as in torch.
    keys: the keys that the run reads from such a component in a spec, beside `use` and the constructor's own
        parameters: name to (type, default). They never reach the constructor.
    """

    name: str
    contract: str | None = None
    takes: int = 0
    keys: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name as prose has it: ``memory bank``."""
        return self.name.replace("_", " ")


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "augmentation",
            "sslreg.contracts.augmentation:Augmentation",
            keys={"p": (Annotated[float, Interval(ge=0, le=1)], 1.0)},
        ),
        Kind("model", "sslreg.contracts.model:Model"),
        Kind("loss", "sslreg.contracts.loss:Loss"),
        Kind("memory_bank", "sslreg.contracts.memory_bank:MemoryBank"),
        Kind("backbone", "sslreg.contracts.backbone:Backbone"),
        Kind("dataset", "sslreg.contracts.dataset:Dataset"),
        Kind("optimizer", takes=1, keys={"base_batch_size": (Annotated[int, Ge(1)] | None, None)}),
        Kind("schedule", takes=1),
        Kind(
            "evaluator",
            "sslreg.contracts.evaluator:Evaluator",
            keys={"every": (Annotated[int, Ge(1)] | None, None), "as": (str | None, None)},
        ),
        Kind("callback"),
        Kind("logger"),
    )
}

#: What an augmentation may teach a model to overlook.
INVARIANCES: tuple[str, ...] = ("shape", "texture", "color")
