"""What may be written: the parameters of a component's constructor, and the keys of the spec's own sections."""

from __future__ import annotations

import collections.abc
import contextlib
import dataclasses
import enum
import functools
import inspect
import itertools
import operator
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic.fields import FieldInfo

from sslreg.errors import UserError
from sslreg.registry import KINDS, ComponentInfo
from sslreg.spec.from_run import FromRun

#: Stands for a default where there is none.
REQUIRED: Any = inspect.Parameter.empty

#: Stands for the spec's form of a type that has none, such as a callable.
_FORMLESS: Any = object()


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
        return _type_text(self.annotation)

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
        signature = _signature(target)
    except (TypeError, ValueError, NameError) as error:
        raise UserError(f"{info} cannot be called: {error}", code="broken-component") from error
    described = _descriptions(target, [parameter.name for parameter in signature])
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
    described = _descriptions(section, list(hints))
    found: dict[str, Parameter] = {}
    for field in dataclasses.fields(section):
        default: Any = field.default if field.default is not dataclasses.MISSING else REQUIRED
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        found[field.name] = _of_hint(field.name, hints[field.name], default, described.get(field.name, ""))
    return found


def _type_text(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _type_text(arguments[0])
    if origin in (Union, types.UnionType):
        return " | ".join(_type_text(argument) for argument in arguments)
    if origin is Literal:
        return " | ".join(repr(argument) for argument in arguments)
    if hint is type(None):
        return "None"
    if hint is Ellipsis:
        return "..."
    name = getattr(origin or hint, "__name__", str(hint))
    return f"{name}[{', '.join(_type_text(argument) for argument in arguments)}]" if origin else name


def _signature(target: Any) -> list[inspect.Parameter]:
    """The parameters of a constructor, their hints evaluated where they can be.

    Hints that name what only type checkers import stay text.
    """
    try:
        return list(inspect.signature(target, eval_str=True).parameters.values())
    except (NameError, AttributeError, SyntaxError):
        namespace = _namespace(target)
        return [_evaluated(parameter, namespace) for parameter in inspect.signature(target).parameters.values()]


def _namespace(target: Any) -> dict[str, Any]:
    """The globals of the function that a constructor is."""
    while isinstance(target, partial):
        target = target.func
    function = inspect.unwrap(target.__init__ if inspect.isclass(target) else target)
    namespace: dict[str, Any] = getattr(function, "__globals__", {})
    return namespace


def _evaluated(parameter: inspect.Parameter, namespace: dict[str, Any]) -> inspect.Parameter:
    if isinstance(parameter.annotation, str):
        with contextlib.suppress(NameError, AttributeError, SyntaxError, TypeError):
            return parameter.replace(annotation=eval(parameter.annotation, namespace))
    return parameter


def _parameter(found: inspect.Parameter, description: str) -> Parameter | None:
    """None: its type has no form in a spec."""
    if found.kind is found.POSITIONAL_ONLY:
        return None
    hint = Any if found.annotation is REQUIRED or isinstance(found.annotation, str) else found.annotation
    parameter = _of_hint(found.name, hint, found.default, description)
    if parameter.slot or parameter.section or parameter.from_run:
        return parameter
    form = _spec_form(hint)
    return None if form is _FORMLESS else dataclasses.replace(parameter, annotation=form)


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


def _spec_form(hint: Any) -> Any:
    """A type without those of its parts that nothing in YAML can stand for; `_FORMLESS` if nothing is left."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        inner = _spec_form(arguments[0])
        return inner if inner is _FORMLESS else Annotated[(inner, *hint.__metadata__)]
    if origin in (Union, types.UnionType):
        forms = [form for argument in arguments if (form := _spec_form(argument)) is not _FORMLESS]
        written = any(form is not type(None) for form in forms)
        return functools.reduce(operator.or_, forms) if written else _FORMLESS
    if origin is None or origin is Literal or origin is collections.abc.Callable:
        return hint if _has_schema(hint) else _FORMLESS
    forms = [argument if argument is Ellipsis else _spec_form(argument) for argument in arguments]
    if _FORMLESS in forms:
        return _FORMLESS
    rebuilt = origin[tuple(forms)]
    return rebuilt if _has_schema(rebuilt) else _FORMLESS


def _has_schema(hint: Any) -> bool:
    """Whether pydantic can describe a type's values as JSON."""
    if hint in (Any, bool, int, float, str, Path, None, type(None)):
        return True
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return True
    try:
        TypeAdapter(hint).json_schema()
    except (PydanticUserError, PydanticUndefinedAnnotation, TypeError):
        return False
    return True


def _descriptions(target: Any, names: list[str]) -> dict[str, str]:
    """What docstrings say of each parameter, as far as they name it: those of a class, its bases and constructors.

    Read are lines that begin with a name and a colon (``lr (float): learning rate``, ``:param lr: …``), and
    sentences that do (``size: pixels; ratio: width over height.``).
    """
    while isinstance(target, partial):
        target = target.func
    classes = target.__mro__[:-1] if inspect.isclass(target) else ()
    documented = [text for each in classes for text in (each, each.__dict__.get("__init__"))] or [target]
    found: dict[str, str] = {}
    for each in documented if names else ():
        if text := getattr(each, "__doc__", None):
            found = {**_described(inspect.cleandoc(text), names), **found}
    return found


#: A part of a docstring, with a heading of its own, that is about something other than parameters.
_OTHER_PART = re.compile(
    r"^(?!Args|Arguments|Parameters|Keyword)[A-Z][\w ]*:[ \t]*\n(?:[ \t]+\S.*\n?|\n)+", re.MULTILINE
)


def _described(text: str, names: Iterable[str]) -> dict[str, str]:
    name = "|".join(re.escape(name) for name in names)
    start = re.compile(
        rf"(?:^[ \t]*(?::param )?|(?<=[.;] ))((?:{name})(?:, (?:{name}))*)(?: \([^)\n]*\))?: *", re.MULTILINE
    )
    text = _OTHER_PART.sub("\n", text)
    marks = list(start.finditer(text))
    found: dict[str, str] = {}
    for mark, following in itertools.zip_longest(marks, marks[1:]):
        said = text[mark.end() : following.start() if following else None]
        said = " ".join(re.split(r"\n[ \t]*\n", said)[0].split()).rstrip(";")
        for each in mark[1].split(", "):
            found.setdefault(each, said)
    return found
