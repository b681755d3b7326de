"""A component under test, built with as few parameters as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from sslreg.assembly.constructor import construct
from sslreg.registry import Catalog, ComponentInfo, installed
from sslreg.spec.parameters import Parameter, Slot, parameters_of
from sslreg.testing.example_arguments import FACTS, example_argument
from sslreg.testing.tiny_components import WIDTH, TinyBank


@dataclass(frozen=True)
class Case:
    """A component under test.

    Attributes:
        info: The component.
        parameters: Parameters as in a spec, for those without a default that cannot be guessed from their types. A
            mapping with `use` is a nested component.
        largest: Modules with more parameters are checked without memory for them, as far as possible.
        catalog: The installed components.
        images: Encoded images for a reader.
        others: The parameters of other components by ``kind/name``.
    """

    info: ComponentInfo
    parameters: Mapping[str, Any] = field(default_factory=dict)
    largest: float = 3e7
    catalog: Catalog = field(default_factory=installed)
    images: Sequence[bytes | Path] = ()
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.info.kind}/{self.info.name}"

    def build(self, *leading: Any, **facts: Any) -> Any:
        """Build the component.

        Args:
            leading: Positional arguments.
            facts: Facts of the run that differ from `FACTS`.
        """
        return self.build_with_parts(*leading, **facts)[0]

    def build_with_parts(self, *leading: Any, **facts: Any) -> tuple[Any, list[Any]]:
        """Build the component as `build` does, and return it with the components in its slots."""
        parts: list[Any] = []

        def build_nested(slot: Slot, value: Any) -> Any:
            if isinstance(value, Mapping):
                parameters = dict(value)
                value = self.of(parameters.pop("use"), slot.kind, parameters).build(**facts)
            parts.append(value)
            return value

        def fill_missing(parameter: Parameter) -> Any:
            value = self._fill_missing(parameter)
            if parameter.slot is not None:
                parts.extend(value if parameter.slot.many else [value])
            return value

        component = construct(
            self.info,
            self.parameters,
            build_nested=build_nested,
            positional=leading,
            facts={**FACTS, **facts},
            fill_missing=fill_missing,
        )
        return component, parts

    def of(self, name: str, kind: str, parameters: Mapping[str, Any] | None = None) -> Case:
        """Return a case of another component, otherwise the same.

        Args:
            name: The name of the component.
            kind: Its kind.
            parameters: Its parameters; by default those in `others`.
        """
        if parameters is None:
            parameters = self.others.get(f"{kind}/{name}", {})
        return replace(self, info=self.catalog.get(kind, name), parameters=parameters)

    def with_banks(self, width: int = WIDTH) -> Case:
        """Return a case that also has memory banks of a width in its optional slots for one bank."""
        slots = {name: parameter.slot for name, parameter in parameters_of(self.info).items() if parameter.slot}
        banks: dict[str, Any] = {}
        for name, slot in slots.items():
            if slot.kind == "memory_bank" and not slot.many and name not in self.parameters:
                banks[name] = TinyBank()
                banks[name].hold(width)
        return replace(self, parameters={**self.parameters, **banks})

    def skip(self, reason: str) -> NoReturn:
        """Skip the check, which does not apply to this component."""
        pytest.skip(f"{self}: {reason}")

    def _fill_missing(self, parameter: Parameter) -> Any:
        """Return a value for a required parameter. The test fails if none can be guessed."""
        try:
            return example_argument(parameter)
        except LookupError:
            pytest.fail(
                f"{self} needs {parameter.name!r} ({parameter.type_text}), which cannot be guessed; set it: "
                f'conformance.of("{self.info.distribution}", parameters={{"{self}": {{"{parameter.name}": …}}}})',
                pytrace=False,
            )
