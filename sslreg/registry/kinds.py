"""The kinds of components. This is the only place where a kind is declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import Ge, Interval


@dataclass(frozen=True)
class Kind:
    """A kind of component.

    Attributes:
        name: the name that plugins and messages use, such as ``memory_bank``.
        contract: the import string of the base class of the kind's components. A constructor parameter that is
            annotated with this class is a slot for a nested component. None: the kind has no slots.
        positional: the number of leading constructor arguments that the run passes by position. As in torch, an
            optimizer gets its parameter groups, and a schedule gets its optimizer.
        keys: the keys that the run reads from a component in a spec, in addition to `use` and the constructor's
            parameters, as name to (type, default). They are not passed to the constructor.
    """

    name: str
    contract: str | None = None
    positional: int = 0
    keys: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The name as written in a sentence: ``memory bank``."""
        return self.name.replace("_", " ")

    @property
    def title_with_article(self) -> str:
        """The title with its indefinite article: ``an augmentation``, ``a model``."""
        return f"{'an' if self.title[0] in 'aeiou' else 'a'} {self.title}"


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
        Kind("mask_sampler", "sslreg.contracts.mask_sampler:MaskSampler"),
        Kind("reader", "sslreg.contracts.reader:Reader"),
        Kind(
            "dataset",
            "sslreg.contracts.dataset:Dataset",
            keys={"subset": (Annotated[int, Ge(1)] | Annotated[float, Interval(gt=0, lt=1)] | None, None)},
        ),
        Kind(
            "optimizer",
            positional=1,
            keys={
                "base_batch_size": (Annotated[int, Ge(1)] | None, None),
                "layer_decay": (Annotated[float, Interval(gt=0, le=1)] | None, None),
            },
        ),
        Kind("schedule", positional=1),
        Kind(
            "evaluator",
            "sslreg.contracts.evaluator:Evaluator",
            keys={"every": (Annotated[int, Ge(1)] | None, None), "as": (str | None, None)},
        ),
        Kind("callback"),
        Kind("logger"),
    )
}

#: The properties of an image that an augmentation can teach a model to overlook.
INVARIANCES: tuple[str, ...] = ("shape", "texture", "color")
