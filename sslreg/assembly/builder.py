"""Builds components by name, from a spec or directly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from sslreg.assembly.constructor import construct, require_slot_contract
from sslreg.contracts import Backbone, FrozenModule, LoadedWeights, MemoryBank
from sslreg.errors import UserError
from sslreg.registry import KINDS, Catalog, ComponentInfo, installed
from sslreg.spec import ComponentSpec, Spec
from sslreg.spec.from_run import FACTS
from sslreg.spec.parameters import Parameter, Slot, parameters_of

#: The only key that is applied to a single component; runs read the others.
_APPLIED_KEY = "p"

#: The attribute of a backbone or a memory bank with its path in the spec. A deep copy keeps it.
_SPEC_PATH = "_spec_path"


class Builder:
    """Builds the components of a spec.

    Attributes:
        spec: the spec.
        facts: the known facts of the run, by their names in `sslreg.spec.from_run.FACTS`. A fact has to be added before
            a component that needs it is built.
    """

    def __init__(self, spec: Spec, facts: dict[str, Any] | None = None) -> None:
        self.spec = spec
        self.facts: dict[str, Any] = dict(facts or {})

    def build(self, component: ComponentSpec, *positional: Any) -> Any:
        """Build a component.

        Args:
            component: the component.
            positional: the leading arguments of its constructor, such as an optimizer's parameter groups.

        Raises:
            UserError: the constructor refuses a parameter or needs a fact that is not known, or the component does not
                fulfill its contract; the error has the component's location in the spec.
        """

        def report_missing(parameter: Parameter) -> Any:
            fact = parameter.from_run
            assert fact is not None  # the spec has been validated, so all other required parameters are given
            message = f"{component.use} needs {fact} ({FACTS[fact]}), which this run does not know"
            raise self.spec.error(component.path, "missing-fact", message)

        try:
            built = construct(
                component.info,
                {**component.params, **component.keys},
                build_nested=self._build_nested,
                positional=positional,
                facts=self.facts,
                fill_missing=report_missing,
            )
        except ValueError as error:
            raise self.spec.error(component.path, "bad-value", f"{component.use}: {error}") from error
        except UserError as error:
            raise self.spec.locate_error(error, component.path) from error
        if isinstance(built, Backbone | MemoryBank):
            setattr(built, _SPEC_PATH, component.path)
        return built

    def _build_nested(self, slot: Slot, value: Any) -> Any:
        if not isinstance(value, ComponentSpec):
            return value
        built = self.build(value)
        try:
            require_slot_contract(slot, built)
        except ValueError as error:
            raise self.spec.error(value.path, "wrong-component", str(error)) from error
        return built


def build_seeded(builder: Builder, component: ComponentSpec) -> Any:
    """Build a component with torch's generator seeded by the spec; the generator's state is restored afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(builder.spec.seed)
        return builder.build(component)


def find_component(spec: Spec, module: nn.Module) -> ComponentSpec | None:
    """Return the component of a spec that describes a module, or the module of which it is a copy.

    Returns:
        None if no component does: a model or a loss has made the module itself.
    """
    path = getattr(module, _SPEC_PATH, None)
    return next((component for component in spec.components() if component.path == path), None)


def find_loaded_weights(spec: Spec, modules: Mapping[str, nn.Module]) -> dict[str, LoadedWeights]:
    """Return the weights from which backbones in modules start, those of frozen teachers included.

    Args:
        spec: the spec.
        modules: the modules by the names that they have in the spec, such as ``model``.

    Returns:
        The weights by the backbone's path in the spec, such as ``model.backbone``. If a model or a loss has made the
        backbone itself, the path is that of the module. Copies, such as momentum encoders, count once.
    """
    found: dict[str, LoadedWeights] = {}
    for name, module in _list_modules(modules):
        if isinstance(module, Backbone) and module.loaded_weights is not None:
            component = find_component(spec, module)
            path = name if component is None else ".".join(map(str, component.path))
            found.setdefault(path, module.loaded_weights)
    return found


def _list_modules(modules: Mapping[str, nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    """Yield all modules in modules by their names, those in frozen modules included."""
    for name, module in nn.ModuleDict(modules).named_modules():
        yield from module.wrapped.named_modules(prefix=name) if isinstance(module, FrozenModule) else [(name, module)]


def starts_from_weights(spec: Spec, backbone: Backbone) -> bool:
    """Return whether a spec starts a backbone, or the backbone of which it is a copy, from weights."""
    component = find_component(spec, backbone)
    return component is not None and component.params.get("weights") is not None


def without_weights(component: ComponentSpec) -> ComponentSpec:
    """Return a component whose backbones start from random weights, so that no file is read or downloaded."""

    def remove(value: Any) -> Any:
        if isinstance(value, ComponentSpec):
            return without_weights(value)
        return [remove(item) for item in value] if isinstance(value, list) else value

    params = {name: remove(value) for name, value in component.params.items()}
    if component.kind == "backbone" and "weights" in params and not parameters_of(component.info)["weights"].required:
        del params["weights"]
    return replace(component, params=params)


def build(kind: str, name: str, /, *, catalog: Catalog | None = None, **params: Any) -> Any:
    """Build one component without a spec: ``sslreg.build("loss", "nt_xent", temperature=0.1)``.

    Args:
        kind: the kind of the component.
        name: its name, as in a spec.
        catalog: the available components; by default those of the installed plugins.
        params: the values for the constructor, passed on as they are, so they may be objects. In a slot, a mapping with
            `use` builds the component that it names. Parameters that a run would fill in have to be given.

    Raises:
        UserError: there is no such component, only runs read a key, a value is outside of the bounds that the signature
            declares, or the constructor refuses it.
    """
    catalog = catalog or installed()
    return _build(catalog.get(kind, name), params, catalog)


def _build(info: ComponentInfo, params: dict[str, Any], catalog: Catalog) -> Any:
    def build_nested(slot: Slot, value: Any) -> Any:
        if not isinstance(value, dict) or "use" not in value:
            return value
        nested = dict(value)
        return _build(catalog.get(slot.kind, nested.pop("use")), nested, catalog)

    for name in KINDS[info.kind].keys:
        if name in params and name != _APPLIED_KEY:
            raise UserError(
                f"{info} cannot be built with {name!r}: it is not a parameter of the constructor, but read by runs",
                hint="leave it out, or write a spec with it",
                code="unknown-key",
            )
    try:
        return construct(info, params, build_nested=build_nested)
    except ValueError as error:
        raise UserError(f"{info} cannot be built: {error}", code="bad-value") from error
