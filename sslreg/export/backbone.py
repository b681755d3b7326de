"""Export of a run's backbone to a file with a model card, checked on real images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslreg.assembly import (
    SampleDataset,
    blame_components,
    build_embed_collate,
    find_component,
    make_views,
    without_weights,
)
from sslreg.atomic_files import atomic_write_group
from sslreg.contracts import Backbone, Model
from sslreg.errors import SslregError
from sslreg.export.backbone_formats import Format, require_format
from sslreg.export.backbone_writers import compute_outputs, format_usage, run_usage, write_backbone
from sslreg.export.data_selection import select_evaluation_data
from sslreg.export.files import require_new
from sslreg.export.model_card import build_card, to_markdown
from sslreg.runs import Run
from sslreg.spec import ComponentSpec, Spec
from sslreg.spec.parameters import parameters_of

#: The number of images of the check, and the largest difference that is allowed. It is a share of the largest feature
#: if that is above 1.
IMAGES, TOLERANCE = 32, 1e-4


@dataclass(frozen=True)
class ExportedBackbone:
    """The result of an export.

    Attributes:
        files: The backbone's file and the two files of its card.
        largest_difference: The largest difference that the check found.
    """

    files: tuple[Path, ...]
    largest_difference: float


def export_backbone(
    run: Run,
    file_format: Format,
    out: Path,
    *,
    data: str | None = None,
    patches: bool = False,
    force: bool = False,
    tolerance: float = TOLERANCE,
) -> ExportedBackbone:
    """Write a run's backbone and, next to it, a model card as JSON and Markdown.

    The file is loaded by the code that the card shows, and its features are compared with the backbone's on real
    images, one alone and many. If they differ, no file is left.

    Args:
        run: The run.
        file_format: The format.
        out: The file.
        data: Images for the check, as for `select_data`, if the run's own are not available.
        patches: Whether the file also returns the features of patches.
        force: Whether to replace existing files.
        tolerance: The largest difference that is allowed.

    Raises:
        UserError: A file exists already, an extra is missing, or the format or the backbone has no patches.
        SslregError: The backbone cannot be exported, or the file gives other features.
    """
    require_format(file_format, out, patches=patches)
    cards = out.with_name(f"{out.name}.json"), out.with_name(f"{out.name}.md")
    require_new(out, *cards, force=force)
    model = run.model()
    backbone, component = model.backbone, find_component(run.spec, model.backbone)
    selected = select_evaluation_data(run, data)
    images = _make_images(run, selected.samples)
    _require_same_features(run.spec, model, images, out, tolerance)
    expected = compute_outputs(backbone, images, patches=patches)
    usage = partial(format_usage, file_format, build=_build_code(run, backbone, component), outputs=[*expected])
    with atomic_write_group(out) as drafts:
        draft = drafts / out.name
        write_backbone(file_format, backbone, images, draft, patches=patches)
        checks = _check_outputs(expected, images, usage(draft), out, tolerance)
        card = build_card(
            run,
            component,
            file=out.name,
            sha256=hashlib.sha256(draft.read_bytes()).hexdigest(),
            file_format=file_format.value,
            code=usage(out.name),
            shape=list(images.shape[1:]),
            outputs={name: list(output.shape[1:]) for name, output in expected.items()},
            check={
                "images": len(images),
                "split": selected.split,
                "data": selected.component,
                **checks["features"],
                "patches": checks.get("patches"),
            },
        )
        (drafts / cards[0].name).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        (drafts / cards[1].name).write_text(to_markdown(card), encoding="utf-8")
    return ExportedBackbone((out, *cards), max(check["largest_difference"] for check in checks.values()))


def _make_images(run: Run, samples: SampleDataset) -> Tensor:
    """Return embedding views of some images from all over the data set."""
    count = min(IMAGES, len(samples))
    rows = torch.linspace(0, len(samples) - 1, count).long().tolist()
    (images,) = make_views(build_embed_collate(run.spec), [samples[row] for row in rows])
    # A single image is repeated: an exporter needs two to make the batch size dynamic.
    return images if len(images) > 1 else images.repeat(2, 1, 1, 1)


def _check_outputs(
    expected: Mapping[str, Tensor], images: Tensor, code: str, out: Path, tolerance: float
) -> dict[str, dict[str, float]]:
    """Return, for each output, the largest difference and the one that is allowed.

    Raises:
        SslregError: A difference is larger than allowed, or the code does not run.
    """
    try:
        single, batch = run_usage(code, images[:1], expected), run_usage(code, images, expected)
    except Exception as error:
        raise SslregError(
            f"{out} was not written: the exported backbone cannot be used: {type(error).__name__}: {error}",
            code="export-differs",
        ) from error
    checks = {}
    for name, output in expected.items():
        allowed = tolerance * max(1.0, float(output.abs().max()))
        largest = max(float((single[name] - output[:1]).abs().max()), float((batch[name] - output).abs().max()))
        if not largest <= allowed:
            raise SslregError(
                f"{out} was not written: on real images its {name} differ from the backbone's by {largest:.3g}, but "
                f"only {allowed:.3g} are allowed",
                hint="try another --format",
                code="export-differs",
            )
        checks[name] = {"largest_difference": largest, "allowed": allowed}
    return checks


def _require_same_features(spec: Spec, model: Model, images: Tensor, out: Path, tolerance: float) -> None:
    """Refuse a model that embeds images otherwise than by its backbone."""
    with blame_components(spec), torch.no_grad():
        evaluated, exported = model.embed(images), model.backbone(images)
    if evaluated.shape == exported.shape:
        difference = float((evaluated - exported).abs().max())
        if difference <= tolerance * max(1.0, float(evaluated.abs().max())):
            return
        reason = f"the features of its backbone differ from them by {difference:.3g}"
    else:
        reason = f"they have shape {tuple(evaluated.shape)}, and those of its backbone {tuple(exported.shape)}"
    raise SslregError(
        f"{out} was not written: what was evaluated are the features of {type(model).__name__}.embed, but {reason}",
        hint="an exported backbone would not have the run's figures; write features with sslreg embed, or use "
        "sslreg.load_run(RUN).embed",
        code="cannot-export",
    )


def _build_code(run: Run, backbone: Backbone, component: ComponentSpec | None) -> str:
    """Return the code that builds ``model``, a module for the exported state, with its own library or with sslreg.

    Args:
        run: The run.
        backbone: The backbone.
        component: Its description in the spec, None if the model itself has made it.
    """
    if plain := backbone.plain():
        return plain.code
    if component is None:
        return f"import sslreg\nmodel = sslreg.load_run({str(run.path)!r}).backbone()"
    arguments = "".join(f", {name}={value!r}" for name, value in _arguments(run, without_weights(component)).items())
    return f"import sslreg\nmodel = sslreg.build('backbone', {component.use!r}{arguments})"


def _arguments(run: Run, component: ComponentSpec) -> dict[str, Any]:
    """Return the arguments of a component as plain data for `sslreg.build`, including facts of the run."""

    def to_plain(value: Any) -> Any:
        if isinstance(value, ComponentSpec):
            return {"use": value.use, **_arguments(run, value)}
        return [to_plain(item) for item in value] if isinstance(value, list) else value

    facts = {
        name: run.facts[parameter.from_run]
        for name, parameter in parameters_of(component.info).items()
        if parameter.from_run is not None and run.facts.get(parameter.from_run) is not None
    }
    return facts | {name: to_plain(value) for name, value in component.params.items()}
