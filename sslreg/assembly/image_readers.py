"""Builds the readers of a spec's images."""

from __future__ import annotations

from sslreg.assembly.builder import Builder
from sslreg.images import NamedReader, Readers
from sslreg.spec import Spec


def build_readers(spec: Spec) -> Readers:
    """Return the installed readers; those that the spec names under ``data.readers`` settle ties."""
    builder = Builder(spec)
    return Readers([NamedReader(component.info, builder.build(component)) for component in spec.data.readers])
