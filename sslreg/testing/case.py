"""A component under test, built with as few parameters as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from sslreg.assembly.constructor import construct
from sslreg.registry import Catalog, ComponentInfo, installed
from sslreg.spec.parameters import Parameter, Slot
from sslreg.testing.example_arguments import FACTS, example_argument


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
    """

    info: ComponentInfo
    parameters: Mapping[str, Any] = field(default_factory=dict)
    largest: float = 3e7
    catalog: Catalog = field(default_factory=installed)
    images: Sequence[bytes | Path] = ()

    def __str__(self) -> str:
        return f"{self.info.kind}/{self.info.name}"

    def build(self, *leading: Any, **facts: Any) -> Any:
        """Build the component.

        Args:
            leading: Positional arguments.
            facts: Facts of the run that differ from `FACTS`.
        """

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
            fill_missing=self._fill_missing,
        )

    def of(self, name: str, kind: str, parameters: Mapping[str, Any] | None = None) -> Case:
        """Return a case of another component, otherwise the same."""
        return replace(self, info=self.catalog.get(kind, name), parameters=parameters or {})

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
