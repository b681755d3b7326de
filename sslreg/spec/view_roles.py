"""The roles that a spec gives to views, compared with those that the model declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.overrides import locate
from sslreg.spec.sections import ComponentSpec, Spec, ViewSpec
from sslreg.spec.tree import KeyPath, MappingNode
from sslreg.suggestions import did_you_mean

#: The smallest and the largest number of views; None is no limit.
Limits = tuple[int, int | None]


def declared_roles(model: ComponentSpec) -> Mapping[str, Limits]:
    """Return the roles of views that the class of a model declares; see `sslreg.Model.roles`."""
    roles: Mapping[str, Limits] = getattr(model.info.load(), "roles", {})
    return roles


def assign_roles(model: ComponentSpec, views: Sequence[ViewSpec]) -> tuple[ViewSpec, ...]:
    """Return the views with the first role of the model for those without; unchanged if the model has no roles."""
    first = next(iter(declared_roles(model)), None)
    return tuple(replace(view, role=view.role or first) for view in views)


def main_view(spec: Spec) -> ViewSpec:
    """Return the first view of the model's first role, from which the embedding view is derived."""
    first = next(iter(declared_roles(spec.model)), None)
    return next(view for view in spec.views if view.role == first)


def check_views(
    model: ComponentSpec, views: Sequence[ViewSpec], tree: MappingNode, diagnostics: DiagnosticCollector
) -> None:
    """Report roles that the model does not declare, and views that are too few or too many for it."""
    roles = declared_roles(model)
    unknown = [number for number, view in enumerate(views) if view.role is not None and view.role not in roles]
    for number in unknown:
        _report_unknown_role(model, views[number].role or "", ("views", number, "as"), tree, diagnostics)
    if unknown:
        return
    if not roles:
        total = getattr(model.info.load(), "views", None)
        roles = {"": total} if isinstance(total, tuple) and len(total) == 2 else {}
    assigned = assign_roles(model, views)
    for role in roles:
        numbers = [number for number, view in enumerate(assigned) if (view.role or "") == role]
        _check_count(model, role, roles[role], numbers, views, tree, diagnostics)


def _report_unknown_role(
    model: ComponentSpec, role: str, path: KeyPath, tree: MappingNode, diagnostics: DiagnosticCollector
) -> None:
    roles = declared_roles(model)
    message, hint = f"the views of model {model.use!r} have no roles, but one is {role!r}", "remove `as`"
    if roles:
        message = f"the views of model {model.use!r} are {' or '.join(roles)}, but one is {role!r}"
        hint = did_you_mean(role, roles) or hint
    diagnostics.report(locate(tree, path, (*model.path, "use")), "unknown-role", message, hint)


def _check_count(
    model: ComponentSpec,
    role: str,
    limits: Limits,
    numbers: Sequence[int],
    views: Sequence[ViewSpec],
    tree: MappingNode,
    diagnostics: DiagnosticCollector,
) -> None:
    """Check the number of views of a role; of all views if the model has no roles.

    Args:
        model: the model.
        role: the role; "" if the model has no roles.
        limits: the smallest and the largest number.
        numbers: the numbers of the entries of this role.
        views: all entries.
        tree: the spec's tree, for locations.
        diagnostics: receives the mistakes.
    """
    low, high = limits
    count = sum(views[number].repeat for number in numbers)
    if low <= count and (high is None or count <= high):
        return
    expected = f"{low}" if low == high else f"at least {low}" if high is None else f"{low} to {high}"
    noun = f"{role}{' ' * bool(role)}view{'s' * (expected != '1')}"
    paths: list[KeyPath] = [("views", number, "repeat") for number in numbers]
    if not role or not numbers:
        paths.insert(0, ("views",))
    paths += [("views", number, "as") for number in range(len(views))]
    others = [f"`as: {other}`" for other in declared_roles(model) if other != role]
    hint = "change `repeat`, the number of views that an entry of `views` makes, or the number of entries"
    if not numbers:
        hint = f"add an entry with `as: {role}`" if role else hint
    elif count > low and others and any(views[number].role is None for number in numbers):
        hint = f"entries without `as` make {role} views; write {' or '.join(others)} for other views"
    diagnostics.report(
        locate(tree, *paths, (*model.path, "use")),
        "view-count",
        f"model {model.use!r} takes {expected} {noun} of an image, but the spec makes {count}",
        hint,
    )
