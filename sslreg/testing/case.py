"""A component under test, and how it is built with as little as it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pydantic import ValidationError

from sslreg.assembly.constructor import construct
from sslreg.registry import Catalog, ComponentInfo, installed
from sslreg.spec.parameters import Parameter, Slot
from sslreg.testing.tiny_components import PARTS

#: What the run of a test knows, by `FromRun`'s names.
FACTS: dict[str, Any] = {
    "in_channels": 3,
    "image_size": 32,
    "num_features": 8,
    "embedding_dim": 8,
    "num_samples": 64,
    "num_classes": 4,
    "batch_size": 8,
    "world_size": 1,
    "steps_per_epoch": 8,
    "total_steps": 32,
    "run_folder": "runs/under-test",
}

#: What a required parameter gets if its type takes it; the first that does.
EXAMPLES: tuple[Any, ...] = (12, 1, 0.5, 0.05, True, (12, 12), (0.2, 0.8))


@dataclass(frozen=True)
class Case:
    """A component under test.

    parameters: as a spec would give them, for those that have no default and that cannot be guessed from their types; a
        mapping with `use` stands for a nested component. largest: modules of more parameters than this are checked
        without memory for them, as far as that goes.
    images: Encoded images that a reader reads.
    """

    info: ComponentInfo
    parameters: Mapping[str, Any] = field(default_factory=dict)
    largest: float = 3e7
    catalog: Catalog = field(default_factory=installed)
    images: Sequence[bytes | Path] = ()

    def __str__(self) -> str:
        return f"{self.info.kind}/{self.info.name}"

    def build(self, *leading: Any, **facts: Any) -> Any:
        """A new object of the component. facts: what the run knows, where it is not what `FACTS` says."""

        def build_nested(slot: Slot, value: Any) -> Any:
            if not isinstance(value, Mapping):
                return value
            parameters = dict(value)
            return self.of(parameters.pop("use"), slot.kind, parameters).build(**facts)

        return construct(
            self.info,
            self.parameters,
            build_nested=build_nested,
            positional=leading,
            facts={**FACTS, **facts},
            fill_missing=self._example,
        )

    def of(self, name: str, kind: str, parameters: Mapping[str, Any] | None = None) -> Case:
        """Another component, under the same conditions."""
        return replace(self, info=self.catalog.get(kind, name), parameters=parameters or {})

    def skip(self, reason: str) -> NoReturn:
        """End the check: this component cannot be held to it."""
        pytest.skip(f"{self}: {reason}")

    def _example(self, parameter: Parameter) -> Any:
        """Something that a required parameter takes; the test fails if nothing comes to mind."""
        slot = parameter.slot
        if slot is not None and slot.kind in PARTS:
            part = PARTS[slot.kind]()
            return [part] if slot.many else part
        for example in (*_choices(parameter), *EXAMPLES):
            try:
                return parameter.adapter.validate_python(example, strict=True)
            except ValidationError:
                continue
        pytest.fail(
            f"{self} needs {parameter.name!r} ({parameter.type_text}), which cannot be guessed; give it: "
            f'conformance.of("{self.info.distribution}", parameters={{"{self}": {{"{parameter.name}": …}}}})',
            pytrace=False,
        )


def _choices(parameter: Parameter) -> tuple[Any, ...]:
    """The values that the type itself names."""
    schema = parameter.adapter.json_schema()
    return (*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ()))
