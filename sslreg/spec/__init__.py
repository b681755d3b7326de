"""The spec's language: YAML with places, composition, validation, JSON Schema. Builds nothing, imports no torch."""

from sslreg.spec.findings import SpecError
from sslreg.spec.fit import induced_invariances
from sslreg.spec.load import load_spec, parse_spec
from sslreg.spec.models import (
    CheckpointSpec,
    ComponentSpec,
    DataSpec,
    EngineSpec,
    Spec,
    TaskSpec,
    ViewSpec,
    components,
)
from sslreg.spec.shipped import shipped_specs

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
