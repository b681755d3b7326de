"""The model card of an exported backbone: its use, its preprocessing and its evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sslreg.contracts import LoadedWeights
from sslreg.escaping import escape_markdown, fence_code, quote_code
from sslreg.export.preprocessing import build_torchvision_code, find_statistics, list_steps
from sslreg.metric_names import (
    drop_intervals,
    drop_strengths,
    format_count,
    format_metric,
    order_subjects,
    title_subject,
)
from sslreg.runs import Run
from sslreg.spec import ComponentSpec
from sslreg.spec.tree import find_nearest, to_python
from sslreg.spec.yaml_dump import dump_yaml
from sslreg.version import __version__


def build_card(
    run: Run,
    component: ComponentSpec | None,
    *,
    file: str,
    sha256: str,
    file_format: str,
    code: str,
    shape: list[int],
    outputs: dict[str, list[int]],
    check: dict[str, Any],
) -> dict[str, Any]:
    """Build the content of a card as plain data.

    Args:
        run: The run.
        component: The description of the backbone in the spec, None if the model itself has made it.
        file: The name of the exported file.
        sha256: Its SHA-256.
        file_format: Its format.
        code: The code that uses it.
        shape: The shape (C, H, W) of the images that the backbone takes.
        outputs: The shapes of its outputs without N: ``features`` (D,), and ``patches`` (rows, columns, D) if exported.
        check: How it was compared with the backbone.
    """
    entries = list_steps(run.spec)
    resolved = run.spec.to_dict()
    evaluations = run.path / "evaluations.json"
    return {
        "name": run.spec.name,
        "file": file,
        "sha256": sha256,
        "format": file_format,
        "sslreg": __version__,
        "run": run.path.name,
        "method": resolved["model"]["use"],
        "backbone": component and to_python(find_nearest(run.spec.tree, component.path), secrets=False),
        "input": {"shape": ["N", *shape], "dtype": "float32", "channels": shape[0], **find_statistics(entries)},
        "output": {"shape": ["N", *outputs["features"]], "dtype": "float32"},
        "patches": {"shape": ["N", *outputs["patches"]], "dtype": "float32"} if "patches" in outputs else None,
        "preprocessing": {
            "channels": run.spec.data.channels,
            "range": run.spec.data.range,
            "background": run.spec.data.background,
            "steps": entries,
            "torchvision": build_torchvision_code(run.spec),
        },
        "use": code,
        "check": check,
        "summary": run.summary,
        "evaluations": json.loads(evaluations.read_text(encoding="utf-8")) if evaluations.is_file() else None,
        "spec": resolved,
        "lock": run.lock,
    }


def to_markdown(card: Mapping[str, Any]) -> str:
    """Format a card as Markdown."""
    shape = " × ".join(map(str, card["input"]["shape"]))
    check, preprocessing = card["check"], card["preprocessing"]
    code_blocks = [preprocessing["torchvision"]] if preprocessing["torchvision"] else []
    parts = [
        f"# {escape_markdown(card['name'])}",
        f"A {_backbone_name(card)} trained by self-supervised learning ({escape_markdown(card['method'])}) in the run "
        f"{quote_code(card['run'])}, with sslreg {card['sslreg']}. {quote_code(card['file'])} maps images {shape} "
        f"(float32) to {_describe_outputs(card)}.",
        *_describe_weights(card["lock"].get("weights", {})),
        "## Use",
        fence_code(card["use"], "python"),
        "`images` is a float32 tensor (N, C, H, W) of images, preprocessed as follows.",
        "## Preprocessing",
        f"Convert images to {format_count(preprocessing['channels'], 'channel')} with values in [0, 1]. Then:",
        "\n".join(f"{number}. {_format_step(entry)}" for number, entry in enumerate(preprocessing["steps"], start=1)),
        *(fence_code(code, "python") for code in code_blocks),
        "## Check",
        f"On {format_count(check['images'], 'image')} of the {_describe_data(check)} its {_describe_check(check)}.",
        "## Evaluation",
        _metrics_table(card),
        "## Spec",
        fence_code(dump_yaml(card["spec"]).rstrip(), "yaml"),
        "## Versions",
        _format_versions(card["lock"]),
    ]
    return "\n\n".join(parts) + "\n"


def _describe_weights(reports: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Describe the weights from which each backbone started, of frozen teachers too."""
    return [
        f"Weights of {quote_code(path)}: {escape_markdown(LoadedWeights(**report).describe())}."
        for path, report in reports.items()
    ]


def _describe_outputs(card: Mapping[str, Any]) -> str:
    """Describe the outputs for an image."""
    features = f"{card['output']['shape'][1]} features each"
    if card["patches"] is None:
        return features
    _, rows, columns, width = card["patches"]["shape"]
    return f"{features} (`features`), and to {width} features of each of their {rows} × {columns} patches (`patches`)"


def _describe_check(check: Mapping[str, Any]) -> str:
    """Describe how much the outputs differ from those of the backbone."""
    features = (
        f"features differ from those of the trained backbone by {check['largest_difference']:.2g} at most "
        f"({check['allowed']:.2g} is allowed)"
    )
    if check["patches"] is None:
        return features
    return (
        f"{features}, and those of patches by {check['patches']['largest_difference']:.2g} "
        f"({check['patches']['allowed']:.2g})"
    )


def _describe_data(check: Mapping[str, Any]) -> str:
    """Describe the images of the check."""
    parameters = "".join(f", {key} {json.dumps(value)}" for key, value in check["data"].items() if key != "use")
    return escape_markdown(f"{check['split']} set ({check['data']['use']}{parameters})")


def _backbone_name(card: Mapping[str, Any]) -> str:
    backbone = card["backbone"]
    return (
        f"{escape_markdown(str(backbone.get('name', backbone['use'])))} backbone"
        if isinstance(backbone, dict)
        else "backbone"
    )


def _format_step(entry: Mapping[str, Any]) -> str:
    name, *rest = entry.items()
    return quote_code(name[1]) + "".join(escape_markdown(f", {key} {json.dumps(value)}") for key, value in rest)


def _metrics_table(card: Mapping[str, Any]) -> str:
    """Return a table of the metrics of the trained backbone and of the baselines, as far as they exist."""
    summary, later = card["summary"], card["evaluations"] or {}
    at_end = {"trained": summary.get("final", {}), **summary.get("baseline", {})}
    subjects = order_subjects(["raw_pixels", "untrained", *at_end, *(name for name in later if name != "steps")])
    columns = {
        title_subject(subject): {**at_end.get(subject, {}), **later.get(subject, {})} for subject in reversed(subjects)
    }
    names = drop_strengths(drop_intervals(columns["trained"]))
    rows = [
        f"| {escape_markdown(name)} | {' | '.join(format_metric(column, name) for column in columns.values())} |"
        for name in names
    ]
    return "\n".join([f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|", *rows])


def _format_versions(lock: Mapping[str, Any]) -> str:
    programs = ", ".join(f"{name} {lock[name]}" for name in ("python", "torch", "sslreg") if name in lock)
    origins = {f"{made['distribution']} {made['version']}" for made in lock.get("components", {}).values()}
    return escape_markdown(f"{programs}; components from {', '.join(sorted(origins))}.")
