"""The model card: what was exported, how images are made ready for it, and what it is known to be good for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sslreg.export.preprocessing import statistics, steps, torchvision_code
from sslreg.metric_names import drop_intervals, drop_strengths, format_count, format_metric
from sslreg.spec.yaml_dump import dump
from sslreg.training import Run
from sslreg.version import __version__


def card(
    run: Run, *, file: str, sha256: str, form: str, code: str, shape: list[int], width: int, check: dict[str, Any]
) -> dict[str, Any]:
    """The card's content as plain data.

    file, sha256: what it is about; code: the lines that use it; shape: (C, H, W) of the images that it takes; width: of
    the features that it gives; check: how it was compared with the backbone.
    """
    entries = steps(run.spec)
    resolved = run.spec.to_dict()
    evaluations = run.path / "evaluations.json"
    return {
        "name": run.spec.name,
        "file": file,
        "sha256": sha256,
        "format": form,
        "sslreg": __version__,
        "run": run.path.name,
        "method": resolved["model"]["use"],
        "backbone": resolved["model"].get("backbone"),
        "input": {"shape": ["N", *shape], "dtype": "float32", "channels": shape[0], **statistics(entries)},
        "output": {"shape": ["N", width], "dtype": "float32"},
        "preprocessing": {
            "channels": run.spec.data.channels,
            "steps": entries,
            "torchvision": torchvision_code(run.spec),
        },
        "use": code,
        "check": check,
        "summary": run.summary,
        "evaluations": json.loads(evaluations.read_text()) if evaluations.is_file() else None,
        "spec": resolved,
        "lock": run.lock,
    }


def as_markdown(card: Mapping[str, Any]) -> str:
    """The same for people."""
    shape = " × ".join(map(str, card["input"]["shape"]))
    width = card["output"]["shape"][1]
    check, preprocessing = card["check"], card["preprocessing"]
    ready = [preprocessing["torchvision"]] if preprocessing["torchvision"] else []
    parts = [
        f"# {card['name']}",
        f"A backbone trained by self-supervision ({card['method']}, {_backbone(card)}) with sslreg {card['sslreg']}, "
        f"in the run `{card['run']}`. `{card['file']}` takes images {shape} (float32) to {width} features each.",
        "## Use",
        "\n".join(["```python", card["use"], "```"]),
        "`images` is a float32 tensor (N, C, H, W) of images that were made ready as follows.",
        "## Preprocessing",
        f"Images are brought to {format_count(preprocessing['channels'], 'channel')} with values in [0, 1]; then:",
        "\n".join(f"{number}. {_said(entry)}" for number, entry in enumerate(preprocessing["steps"], start=1)),
        *("\n".join(["```python", code, "```"]) for code in ready),
        "## Checked",
        f"On {format_count(check['images'], 'image')} of the {_data(check)} its features differ from those of the "
        f"trained backbone by {check['largest_difference']:.2g} at most ({check['allowed']:.2g} are allowed).",
        "## Figures",
        _figures(card),
        "## Spec",
        "\n".join(["```yaml", dump(card["spec"]).rstrip(), "```"]),
        "## Versions",
        _versions(card["lock"]),
    ]
    return "\n\n".join(parts) + "\n"


def _data(check: Mapping[str, Any]) -> str:
    """Where the images came from, as a person says it."""
    parameters = "".join(f", {key} {json.dumps(value)}" for key, value in check["data"].items() if key != "use")
    return f"{check['split']} set ({check['data']['use']}{parameters})"


def _backbone(card: Mapping[str, Any]) -> str:
    backbone = card["backbone"]
    return str(backbone.get("name", backbone["use"])) if isinstance(backbone, dict) else "its own backbone"


def _said(entry: Mapping[str, Any]) -> str:
    name, *rest = entry.items()
    return f"`{name[1]}`" + "".join(f", {key} {json.dumps(value)}" for key, value in rest)


def _figures(card: Mapping[str, Any]) -> str:
    """A table: the trained backbone beside raw pixels and the untrained one, as far as each was evaluated."""
    summary, later = card["summary"], card["evaluations"] or {}
    columns = {
        "trained": {**summary.get("final", {}), **later.get("trained", {})},
        "untrained": {**summary.get("baseline", {}).get("untrained", {}), **later.get("untrained", {})},
        "raw pixels": {**summary.get("baseline", {}).get("raw_pixels", {}), **later.get("raw_pixels", {})},
    }
    names = drop_strengths(drop_intervals(columns["trained"]))
    rows = [f"| {name} | {' | '.join(format_metric(column, name) for column in columns.values())} |" for name in names]
    return "\n".join([f"| | {' | '.join(columns)} |", "|---|---|---|---|", *rows])


def _versions(lock: Mapping[str, Any]) -> str:
    programs = ", ".join(f"{name} {lock[name]}" for name in ("python", "torch", "sslreg") if name in lock)
    origins = {f"{made['distribution']} {made['version']}" for made in lock.get("components", {}).values()}
    return f"{programs}; components from {', '.join(sorted(origins))}."
