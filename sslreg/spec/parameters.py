"""What may be written: the parameters of a component's constructor, and the keys of the spec's own sections."""

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

from sslreg.errors import UserError
from sslreg.registry import KINDS, ComponentInfo
from sslreg.spec.docstrings import descriptions
from sslreg.spec.from_run import FromRun
from sslreg.spec.type_hints import FORMLESS, signature_of, spec_form, type_text

#: Stands for a default where there is none.
REQUIRED: Any = inspect.Parameter.empty


@dataclass(frozen=True)
class Slot:
    """A place for nested components of a kind: one, or a list where `many`; `optional`: null is one too."""

    kind: str
    many: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Section:
    """A place for a mapping with keys of its own, or a list of such where `many`; `build` makes a value of one."""

    keys: Mapping[str, Parameter]
    build: Callable[..., Any]
    many: bool = False
    optional: bool = False


@dataclass(frozen=True)
class Parameter:
    """One thing that may be written, or that the run fills in.

    annotation: the type of its value, without the parts that have no form in a spec (``float | Tensor`` is
    ``float``); default: `REQUIRED` where there is none; from_run: which of the run's facts fills it.
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
        """The type as a person writes it: ``float``, ``list[augmentation] | None``."""
        if self.slot:
            text = f"list[{self.slot.kind}]" if self.slot.many else self.slot.kind
            return f"{text} | None" if self.slot.optional else text
        return type_text(self.annotation)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Validates a value and describes it as JSON Schema."""
        return TypeAdapter(self.annotation)


@dataclass(frozen=True)
class Parameters(Mapping[str, Parameter]):
    """The parameters of one component, by name.

    unwritable: those that are required and whose type has no form in a spec; a component with any cannot be used.
    """

    of: ComponentInfo
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
        """Those that a spec may give."""
        return {name: parameter for name, parameter in self.items() if parameter.from_run is None}


@cache
def parameters_of(info: ComponentInfo) -> Parameters:
    """What a component's constructor takes from a spec and from the run.

    Left out: the leading arguments that the run passes by position, ``*args`` and ``**kwargs``, names that the kind
    keeps for itself (`p` of an augmentation), and parameters with a default whose type has no form in a spec.
    UserError: the component cannot be imported or called.
    """
    kind = KINDS[info.kind]
    target = info.load()
    try:
        signature = signature_of(target)
    except (TypeError, ValueError, NameError) as error:
        raise UserError(f"{info} cannot be called: {error}", code="broken-component") from error
    described = descriptions(target, [parameter.name for parameter in signature])
    found: dict[str, Parameter] = {}
    unwritable = []
    for parameter in signature[kind.takes :]:
        if parameter.name in kind.keys or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        made = _parameter(parameter, described.get(parameter.name, ""))
        if made is not None:
            found[made.name] = made
        elif parameter.default is REQUIRED:
            unwritable.append(parameter.name)
    return Parameters(info, found, tuple(unwritable))


@cache
def keys_of(kind: str) -> dict[str, Parameter]:
    """The keys that the run reads from a component of a kind, beside those of its constructor."""
    return {name: Parameter(name, annotation, default) for name, (annotation, default) in KINDS[kind].keys.items()}


@cache
def fields_of(section: type) -> dict[str, Parameter]:
    """The keys of a section of the spec, from the fields of its dataclass."""
    hints = typing.get_type_hints(section, include_extras=True)
    described = descriptions(section, list(hints))
    found: dict[str, Parameter] = {}
    for field in dataclasses.fields(section):
        default: Any = field.default if field.default is not dataclasses.MISSING else REQUIRED
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        found[field.name] = _of_hint(field.name, hints[field.name], default, described.get(field.name, ""))
    return found


def _parameter(found: inspect.Parameter, description: str) -> Parameter | None:
    """None: its type has no form in a spec."""
    if found.kind is found.POSITIONAL_ONLY:
        return None
    hint = Any if found.annotation is REQUIRED or isinstance(found.annotation, str) else found.annotation
    parameter = _of_hint(found.name, hint, found.default, description)
    if parameter.slot or parameter.section or parameter.from_run:
        return parameter
    form = spec_form(hint)
    return None if form is FORMLESS else dataclasses.replace(parameter, annotation=form)


def _of_hint(name: str, hint: Any, default: Any, description: str) -> Parameter:
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
    return Parameter(name, hint, default, description, slot=_slot(hint))


def _slot(hint: Any) -> Slot | None:
    """The slot that a hint stands for: a contract, ``contract | None``, or a list of it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _slot(arguments[0])
    if origin in (Union, types.UnionType):
        others = [argument for argument in arguments if argument is not type(None)]
        inner = _slot(others[0]) if len(others) == 1 else None
        return dataclasses.replace(inner, optional=True) if inner and len(others) < len(arguments) else inner
    if origin in (list, tuple, collections.abc.Sequence, collections.abc.Iterable):
        items = [argument for argument in arguments if argument is not Ellipsis]
        inner = _slot(items[0]) if len(items) == 1 else None
        return Slot(inner.kind, many=True) if inner and not inner.many else None
    kind = _kind_of(hint) if inspect.isclass(hint) else None
    return Slot(kind) if kind else None


def _kind_of(contract: type) -> str | None:
    """The kind whose contract a class is or derives from."""
    contracts = {kind.contract: kind.name for kind in KINDS.values() if kind.contract}
    paths = (f"{base.__module__}:{base.__qualname__}" for base in contract.__mro__)
    return next((contracts[path] for path in paths if path in contracts), None)
