"""The keys that a spec may contain: parameters of components' constructors, and keys of the spec's sections."""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from sslreg.errors import INTERRUPTIONS, describe_error
from sslreg.registry import KINDS, ComponentInfo
from sslreg.spec.docstrings import parse_descriptions
from sslreg.spec.from_run import FromRun
from sslreg.spec.type_hints import NOT_WRITABLE, evaluated_parameters, format_type, writable_type

#: The default of a parameter that has none.
REQUIRED: Any = inspect.Parameter.empty


@dataclass(frozen=True)
class Slot:
    """A parameter that takes nested components.

    Attributes:
        kind: the kind of the components.
        many: whether it takes a list of components.
        allows_one: whether a single component may be written without a list; the value is a list nevertheless.
        by_name: whether it takes a mapping from names, which the user chooses, to components.
        optional: whether it takes null.
        contract: the class that the components derive from, if it is narrower than the contract of the kind.
    """

    kind: str
    many: bool = False
    allows_one: bool = False
    by_name: bool = False
    optional: bool = False
    contract: type | None = None


@dataclass(frozen=True)
class Section:
    """A parameter that takes a mapping with certain keys.

    Attributes:
        keys: the keys that the mapping may contain.
        build: makes the value from the values of the keys.
        many: whether it takes a list of mappings.
        optional: whether it takes null.
    """

    keys: Mapping[str, Parameter]
    build: Callable[..., Any]
    many: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Parameter:
    """A key that a spec may contain, or a constructor parameter that the run fills in.

    Attributes:
        name: the key.
        annotation: the type of the value, without the members of unions that YAML cannot express (``float | Tensor``
            becomes ``float``).
        default: the default, or `REQUIRED`.
        description: what the documentation says about it.
        slot: set if it takes nested components.
        section: set if it takes a section.
        from_run: the fact of the run that fills it in, if any.
    """

    name: str
    annotation: Any = Any
    default: Any = REQUIRED
    description: str = ""
    slot: Slot | None = None
    section: Section | None = None
    from_run: str | None = None

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def type_text(self) -> str:
        """The type as users write it: ``float``, ``list[augmentation] | None``."""
        if self.slot:
            text = f"list[{self.slot.kind}]" if self.slot.many else self.slot.kind
            text = f"{self.slot.kind} | {text}" if self.slot.allows_one else text
            text = f"dict[str, {text}]" if self.slot.by_name else text
            return f"{text} | None" if self.slot.optional else text
        return format_type(self.annotation)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """The pydantic adapter that validates values and describes them as JSON Schema."""
        return TypeAdapter(self.annotation)


@dataclass(frozen=True)
class Parameters(Mapping[str, Parameter]):
    """The parameters of a component's constructor, by name.

    Attributes:
        component: the component.
        by_name: the parameters.
        unwritable: required parameters whose type YAML cannot express. If there are any, no spec can use the component.
    """

    component: ComponentInfo
    by_name: Mapping[str, Parameter]
    unwritable: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Parameter:
        return self.by_name[name]

    def __iter__(self) -> typing.Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    @property
    def writable(self) -> dict[str, Parameter]:
        """The parameters that a spec may set."""
        return {name: parameter for name, parameter in self.items() if parameter.from_run is None}


@cache
def parameters_of(info: ComponentInfo) -> Parameters:
    """Return the parameters of a component's constructor.

    These are left out:

    * the leading parameters that the run passes by position
    * ``*args`` and ``**kwargs``
    * the names of keys that the kind reserves, such as `p` of augmentations
    * parameters with a default whose type YAML cannot express

    Raises:
        UserError: the component cannot be imported or is not callable.
    """
    target = info.load()
    try:
        return _read_parameters(info, target)
    except INTERRUPTIONS:
        raise
    except BaseException as error:
        raise info.broken(f"{info} cannot be called: {describe_error(error)}") from error


def _read_parameters(info: ComponentInfo, target: Any) -> Parameters:
    kind = KINDS[info.kind]
    declared = signature_parameters(target)
    by_name: dict[str, Parameter] = {}
    unwritable = []
    for parameter, converted in declared[kind.positional :]:
        if parameter.name in kind.keys or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if converted is not None:
            by_name[converted.name] = converted
        elif parameter.default is REQUIRED:
            unwritable.append(parameter.name)
    return Parameters(info, by_name, tuple(unwritable))


def signature_parameters(target: Any) -> list[tuple[inspect.Parameter, Parameter | None]]:
    """Return the parameters in the signature of a class or function, with None for those that YAML cannot express."""
    signature = evaluated_parameters(target)
    descriptions = parse_descriptions(target, [parameter.name for parameter in signature])
    return [(parameter, _convert(parameter, descriptions.get(parameter.name, ""))) for parameter in signature]


@cache
def kind_keys(kind: str) -> dict[str, Parameter]:
    """Return the keys that the run reads from every component of a kind, such as `p` of augmentations."""
    return {name: Parameter(name, annotation, default) for name, (annotation, default) in KINDS[kind].keys.items()}


@cache
def section_keys(section: type) -> dict[str, Parameter]:
    """Return the keys of a section of the spec, which are the fields of its dataclass.

    If a key is a keyword of Python, the field has another name and the key is in its metadata.
    """
    hints = typing.get_type_hints(section, include_extras=True)
    descriptions = parse_descriptions(section, list(hints))
    keys: dict[str, Parameter] = {}
    for field in dataclasses.fields(section):
        default: Any = field.default if field.default is not dataclasses.MISSING else REQUIRED
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        key = _key_of(field)
        keys[key] = _from_hint(key, hints[field.name], default, descriptions.get(field.name, ""))
    return keys


def build_section(section: type, **values: Any) -> Any:
    """Return an instance of a section's dataclass from the values of keys; see `section_keys`."""
    names = {_key_of(field): field.name for field in dataclasses.fields(section)}
    return section(**{names[key]: value for key, value in values.items()})


def _key_of(field: dataclasses.Field[Any]) -> str:
    key: str = field.metadata.get("key", field.name)
    return key


def _convert(parameter: inspect.Parameter, description: str) -> Parameter | None:
    """Convert a parameter of a signature; None if YAML cannot express its type."""
    if parameter.kind is parameter.POSITIONAL_ONLY:
        return None
    unknown = parameter.annotation is REQUIRED or isinstance(parameter.annotation, str)
    hint = Any if unknown else parameter.annotation
    converted = _from_hint(parameter.name, hint, parameter.default, description)
    if converted.slot or converted.section:
        return converted
    annotation = writable_type(hint)
    if annotation is NOT_WRITABLE:
        return dataclasses.replace(converted, annotation=Any) if converted.from_run else None
    return dataclasses.replace(converted, annotation=annotation)


def _from_hint(name: str, hint: Any, default: Any, description: str) -> Parameter:
    """Make a parameter from a type hint and the marks that annotate it."""
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    for mark in (mark for member in members for mark in getattr(member, "__metadata__", ())):
        match mark:
            case FieldInfo():
                description = mark.description or description
            case FromRun():
                return Parameter(name, hint, default, description, from_run=mark.name)
            case Slot():
                return Parameter(name, hint, default, description, slot=mark)
            case Section():
                return Parameter(name, hint, default, description, section=mark)
    return Parameter(name, hint, default, description, slot=_find_slot(hint))


def _find_slot(hint: Any) -> Slot | None:
    """Return the slot if a hint is a contract, ``contract | None``, or a list of a contract."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _find_slot(arguments[0])
    if origin in (Union, types.UnionType):
        others = [argument for argument in arguments if argument is not type(None)]
        slot = _find_slot(others[0]) if len(others) == 1 else None
        return dataclasses.replace(slot, optional=True) if slot and len(others) < len(arguments) else slot
    if origin in (list, tuple, collections.abc.Sequence, collections.abc.Iterable):
        items = [argument for argument in arguments if argument is not Ellipsis]
        slot = _find_slot(items[0]) if len(items) == 1 else None
        return dataclasses.replace(slot, many=True) if slot and not slot.many else None
    kind = _kind_of(hint) if inspect.isclass(hint) else None
    if kind is None:
        return None
    is_narrow = KINDS[kind].contract != f"{hint.__module__}:{hint.__qualname__}"
    return Slot(kind, contract=hint if is_narrow else None)


def _kind_of(contract: type) -> str | None:
    """Return the kind of components whose contract a class is or derives from."""
    contracts = {kind.contract: kind.name for kind in KINDS.values() if kind.contract}
    paths = (f"{base.__module__}:{base.__qualname__}" for base in contract.__mro__)
    return next((contracts[path] for path in paths if path in contracts), None)
