"""The table of trainer keys matches the installed Lightning."""

import inspect
from datetime import timedelta
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin

import pytest

from sslreg.spec.trainer_keys import SET_BY_RUN, WRITABLE
from sslreg.spec.type_hints import NOT_WRITABLE, writable_type

lightning = pytest.importorskip("lightning")


def signature():
    parameters = dict(inspect.signature(lightning.Trainer.__init__, eval_str=True).parameters)
    del parameters["self"]
    return parameters


#: The arguments whose values Lightning compares with a list, which its annotation leaves out.
NARROWED = {"profiler": str, "gradient_clip_algorithm": str}


def members(hint) -> set:
    """The alternatives of a type: its classes and the values of its literals, without bounds."""
    if get_origin(hint) in (Union, UnionType):
        return {member for argument in get_args(hint) for member in members(argument)}
    if get_origin(hint) is Annotated:
        return members(get_args(hint)[0])
    if get_origin(hint) is dict:
        return {dict[str, int]}
    return {(type(value), value) for value in get_args(hint)} if get_origin(hint) is Literal else {hint}


def test_every_argument_of_lightning_is_a_key_or_set_by_the_run():
    assert {*WRITABLE, *SET_BY_RUN} == set(signature())
    assert not {*WRITABLE} & {*SET_BY_RUN}


@pytest.mark.parametrize("name", WRITABLE)
def test_types_and_defaults_are_those_of_lightning(name):
    parameter = signature()[name]
    form = writable_type(parameter.annotation)
    annotation, default = WRITABLE[name]

    assert form is not NOT_WRITABLE
    # Lightning's durations are written as text or as a mapping.
    written = {NARROWED[name], type(None)} if name in NARROWED else members(annotation)
    assert written == members(form) - {timedelta}
    assert default == parameter.default
