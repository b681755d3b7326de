"""What the command line sets: ``a.b.0.c=VALUE``."""

from __future__ import annotations

from dataclasses import replace

from sslreg.spec.diagnostics import Findings
from sslreg.spec.extends import inherited
from sslreg.spec.tree import MAX_DEPTH, At, Entries, Items, Node, Origin, Scalar, dotted, item, shown
from sslreg.spec.yaml_parser import lines_of, parse

#: The file that diagnostics about the arguments name. Its lines are the arguments.
ARGUMENTS = "--set"


def overridden(root: Entries, argument: str, findings: Findings) -> Entries:
    """The tree with one ``a.b.0.c=VALUE`` applied."""
    before = findings.sources.get(ARGUMENTS, "")
    findings.sources[ARGUMENTS] = f"{before}{argument}\n"
    start = Origin(ARGUMENTS, len(lines_of(before)), 1)
    path, equals, text = argument.partition("=")
    steps, column = [], 1
    for step in path.split("."):
        steps.append((step.strip(), replace(start, column=column)))
        column += len(step) + 1
    if not equals or not all(step for step, _ in steps) or len(steps) > MAX_DEPTH:
        findings.report(start, "override", f"{argument!r} sets nothing", "write --set path.to.key=VALUE")
        return root
    value_start = replace(start, column=column)
    value = parse(text, value_start, findings) or Scalar(None, value_start)
    changed = _with(root, steps, value, (), findings)
    return changed if isinstance(changed, Entries) else root


def _with(node: Node | None, steps: list[tuple[str, Origin]], value: Node, at: At, findings: Findings) -> Node:
    """`node`, found at `at`, with `value` where `steps` lead."""
    if not steps:
        return value
    (step, origin), *rest = steps
    if node is None or (isinstance(node, Scalar) and node.value is None):
        node = Entries({}, origin, {})
    if isinstance(node, Scalar):
        findings.report(origin, "override", f"{dotted(at)} is {shown(node)}, which has no {step!r} inside")
        return node
    if isinstance(node, Items):
        number = item(node, step)
        if number is None:
            last = len(node.items) - 1
            there_are = (
                f"its items are 0 to {last}" if last > 0 else "its only item is 0" if last == 0 else "it is empty"
            )
            findings.report(origin, "override", f"{dotted(at)} is a list without {step!r}", there_are)
            return node
        items = list(node.items)
        items[number] = _with(items[number], rest, value, (*at, number), findings)
        return replace(node, items=tuple(items))
    changed = _with(node.entries.get(step), rest, value, (*at, step), findings)
    over = Entries({step: changed}, node.origin, {step: node.keys.get(step, origin) if rest else origin})
    return Entries({**node.entries, **over.entries}, node.origin, {**node.keys, **over.keys}, inherited(node, over))
