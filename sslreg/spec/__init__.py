"""The spec's language: YAML with places, composition, validation, JSON Schema. Builds nothing, imports no torch."""

from sslreg.spec.cross_checks import induced_invariances
from sslreg.spec.diagnostics import SpecError
from sslreg.spec.load import load_spec, parse_spec
from sslreg.spec.sections import (
    CheckpointSpec,
    ComponentSpec,
    DataSpec,
    EngineSpec,
    Spec,
    TaskSpec,
    ViewSpec,
    components,
)
from sslreg.spec.shipped_specs import shipped_specs

__all__ = [
    "CheckpointSpec",
    "ComponentSpec",
    "DataSpec",
    "EngineSpec",
    "Spec",
    "SpecError",
    "TaskSpec",
    "ViewSpec",
    "components",
    "induced_invariances",
    "load_spec",
    "parse_spec",
    "shipped_specs",
]
