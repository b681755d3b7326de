"""From names to objects: fills a component's constructor and calls it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sslreg.contracts import Augmentation
from sslreg.errors import UserError
from sslreg.registry import KINDS, Catalog, ComponentInfo, installed
from sslreg.spec import ComponentSpec, Spec
from sslreg.spec.from_run import FACTS
from sslreg.spec.parameters import Slot, parameters_of
from sslreg.views import WithProbability, adapt


class Builder:
    """Builds the components of a spec.

    facts: what the run knows so far, by the names of `sslreg.spec.from_run.FACTS`. Whoever learns another fact adds
    it before building what may ask for it.
    """

    def __init__(self, spec: Spec, facts: dict[str, Any] | None = None) -> None:
        self.spec = spec
        self.facts: dict[str, Any] = dict(facts or {})

    def build(self, component: ComponentSpec, *leading: Any) -> Any:
        """The object that `component` names.

        leading: what the kind's constructors get by position (an optimizer's parameter groups). UserError, at the
        component's place in the spec: its constructor refuses its parameters, or wants a fact that this run lacks.
        """
        arguments = {name: self._value(value) for name, value in component.params.items()}
        for parameter in parameters_of(component.info).values():
            if parameter.from_run is None or parameter.name in arguments:
                continue
            if self.facts.get(parameter.from_run) is not None:
                arguments[parameter.name] = self.facts[parameter.from_run]
            elif parameter.required:
                raise self._lacks(component, parameter.from_run)
        try:
            built = component.info.load()(*leading, **arguments)
        except ValueError as error:
            raise self.spec.error(component.path, "bad-value", f"{component.use}: {error}") from error
        return _finished(component.kind, built, component.keys)

    def _value(self, value: Any) -> Any:
        if isinstance(value, ComponentSpec):
            return self.build(value)
        if isinstance(value, list | tuple) and any(isinstance(item, ComponentSpec) for item in value):
            return [self._value(item) for item in value]
        return value

    def _lacks(self, component: ComponentSpec, fact: str) -> UserError:
        return self.spec.error(
            component.path,
            "missing-fact",
            f"{component.use} needs {fact} ({FACTS[fact]}), which this run does not know",
        )


def build(kind: str, name: str, /, *, catalog: Catalog | None = None, **params: Any) -> Any:
    """Build one component without a spec: ``sslreg.build("loss", "nt_xent", temperature=0.1)``.

    Parameters are handed to the constructor as they are, so they may be objects; for a slot, a mapping with `use`
    builds what it names, as in a spec. What a run would fill in is a parameter like any other here. UserError: no
    such component, or its constructor refuses.
    """
    catalog = catalog or installed()
    info = catalog.get(kind, name)
    return _construct(info, params, catalog)


def _construct(info: ComponentInfo, params: dict[str, Any], catalog: Catalog) -> Any:
    keys = {key: params.pop(key, default) for key, (_, default) in KINDS[info.kind].keys.items()}
    known = parameters_of(info)

    def nested(slot: Slot, value: Any) -> Any:
        if isinstance(value, dict) and "use" in value:
            inner = dict(value)
            return _construct(catalog.get(slot.kind, inner.pop("use")), inner, catalog)
        if slot.many and isinstance(value, Sequence):
            return [nested(slot, item) for item in value]
        return value

    arguments = {}
    for name, value in params.items():
        parameter = known.get(name)
        arguments[name] = nested(parameter.slot, value) if parameter and parameter.slot else value
    try:
        built = info.load()(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"{info} cannot be built: {error}", code="bad-value") from error
    return _finished(info.kind, built, keys)


def _finished(kind: str, built: Any, keys: dict[str, Any]) -> Any:
    """What a kind promises beyond its constructor: an augmentation adapted to the contract, and its probability."""
    if kind != "augmentation":
        return built
    augmentation: Augmentation = adapt(built)
    return augmentation if keys["p"] == 1 else WithProbability(augmentation, keys["p"])
