"""The roles of views in a spec are those of the model, each with its number of views."""

import pytest

from sslreg import UserError
from sslreg.spec import parse_spec
from sslreg.spec.view_roles import main_view

GLOBAL = "{as: global, repeat: 2, augment: [{use: crop, size: 32}]}"
LOCAL = "{as: local, repeat: 6, augment: [{use: crop, size: 8}]}"
UNNAMED = GLOBAL.replace("as: global, ", "")

SPEC = """\
version: 1
data: {train: {use: photos, root: photos}}
views:
  - VIEWS
model: {use: multi_crop, backbone: {use: tiny}}
loss: {use: contrast}
optimizer: {use: sgd}
"""


def parse(acme, *views: str, overrides: tuple[str, ...] = ()):
    return parse_spec(SPEC.replace("VIEWS", "\n  - ".join(views)), overrides=overrides, catalog=acme)


@pytest.mark.parametrize(
    ("views", "roles"),
    [
        ([GLOBAL, LOCAL], ["global", "local"]),
        ([LOCAL, GLOBAL], ["local", "global"]),
        ([UNNAMED, LOCAL], ["global", "local"]),
        ([UNNAMED], ["global"]),
    ],
)
def test_views_without_a_role_take_the_first_and_the_main_view_has_it(acme, views, roles) -> None:
    spec = parse(acme, *views)

    assert [view.role for view in spec.views] == roles
    assert main_view(spec).role == "global"
    assert main_view(spec).augment[0].params["size"] == 32
    assert ("as" in spec.to_dict()["views"][0]) == (views[0] != UNNAMED), "the spec stays as written"


def test_views_of_a_model_without_roles_have_none(valid, acme) -> None:
    spec = parse_spec(valid, catalog=acme)

    assert [view.role for view in spec.views] == [None]
    assert main_view(spec) is spec.views[0]


@pytest.mark.parametrize(
    ("views", "line", "message", "hint"),
    [
        ([GLOBAL.replace("2", "1", 1), LOCAL], 4, "takes 2 global views of an image, but the spec makes 1", "`repeat`"),
        ([LOCAL, GLOBAL.replace("2", "3", 1)], 5, "takes 2 global views of an image, but the spec makes 3", "`repeat`"),
        ([GLOBAL, GLOBAL], 4, "takes 2 global views of an image, but the spec makes 4", "the number of entries"),
        ([LOCAL], 4, "takes 2 global views of an image, but the spec makes 0", "add an entry with `as: global`"),
        (
            [GLOBAL, LOCAL.replace("6", "7")],
            5,
            "takes 0 to 6 local views of an image, but",
            "`repeat`",
        ),
        ([GLOBAL, UNNAMED], 4, "takes 2 global views", "entries without `as` make global views; write `as: local`"),
    ],
)
def test_too_few_and_too_many_views_of_a_role_are_reported_at_its_entry(acme, views, line, message, hint) -> None:
    with pytest.raises(UserError) as raised:
        parse(acme, *views)

    (diagnostic,) = raised.value.diagnostics
    assert (diagnostic.code, diagnostic.line) == ("view-count", line)
    assert f"model 'multi_crop' {message}" in diagnostic.message
    assert hint in diagnostic.hint


@pytest.mark.parametrize(
    ("role", "hint"), [("globl", "did you mean 'global' or 'local'?"), ("teacher", "available: global, local")]
)
def test_an_undeclared_role_is_reported_with_those_that_the_model_declares(acme, role, hint) -> None:
    with pytest.raises(UserError) as raised:
        parse(acme, GLOBAL.replace("global", role), LOCAL)

    (diagnostic,) = raised.value.diagnostics
    assert (diagnostic.code, diagnostic.line, diagnostic.column) == ("unknown-role", 4, 10)
    assert diagnostic.message == f"the views of model 'multi_crop' are global or local, but one is {role!r}"
    assert diagnostic.hint == hint


def test_a_role_for_a_model_without_roles_is_refused_and_can_be_removed(valid, acme) -> None:
    named = valid.replace("- repeat: 2", "- as: global\n    repeat: 2")
    with pytest.raises(UserError, match="the views of model 'pairs' have no roles, but one is 'global'") as raised:
        parse_spec(named, catalog=acme)

    assert (raised.value.diagnostics[0].line, raised.value.diagnostics[0].hint) == (7, "remove `as`")
    assert parse_spec(named, overrides=["views.0.as=null"], catalog=acme).views[0].role is None


@pytest.mark.parametrize("override", ["views.0.repeat=1", "views.0.as=local", "model.use=multi_crop"])
def test_a_mistake_in_an_override_is_reported_there(acme, override) -> None:
    views = [GLOBAL] if "model" not in override else [GLOBAL, GLOBAL]
    with pytest.raises(UserError) as raised:
        parse(acme, *views, overrides=(override,))

    assert raised.value.diagnostics[0].file == "--set"
