"""The spec language: parses, composes and validates specs. Builds no components and imports no torch."""

from sslreg.spec.cross_checks import induced_invariances
from sslreg.spec.diagnostics import SpecError
from sslreg.spec.load import load_spec, parse_spec
from sslreg.spec.sections import (
    CheckpointSpec,
    ComponentSpec,
    DataSpec,
    EngineSpec,
    GuardSpec,
    Spec,
    SplitSpec,
    TaskSpec,
    ViewSpec,
    find_components,
)
from sslreg.spec.shipped_specs import shipped_specs

__all__ = [
    "CheckpointSpec",
    "ComponentSpec",
    "DataSpec",
    "EngineSpec",
    "GuardSpec",
    "Spec",
    "SpecError",
    "SplitSpec",
    "TaskSpec",
    "ViewSpec",
    "find_components",
    "induced_invariances",
    "load_spec",
    "parse_spec",
    "shipped_specs",
]
