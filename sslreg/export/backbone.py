"""A run's backbone in a file of its own, checked on real images, with its model card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslreg.assembly import SampleDataset, build_embed_collate, make_first_view
from sslreg.atomic_files import atomic_write_group
from sslreg.contracts import Backbone
from sslreg.errors import SslregError
from sslreg.export.backbone_formats import Format, require_format
from sslreg.export.backbone_writers import run as features_by, usage, write
from sslreg.export.data_selection import select_evaluation_data
from sslreg.export.files import require_new
from sslreg.export.model_card import as_markdown, card
from sslreg.spec import ComponentSpec, find_components
from sslreg.spec.parameters import parameters_of
from sslreg.training import Run

#: Images that the check looks at, and how far a feature may be off, as a share of the largest one if that is above 1.
IMAGES, TOLERANCE = 32, 1e-4


@dataclass(frozen=True)
class Exported:
    """The files that were written, and the largest difference that the check found."""

    files: tuple[Path, ...]
    largest_difference: float


def export_backbone(
    run: Run, form: Format, out: Path, *, data: str | None = None, force: bool = False, tolerance: float = TOLERANCE
) -> Exported:
    """Write a run's backbone and, beside it, a card as JSON and Markdown.

    What was written is loaded again by the very lines that the card shows, and compared with the backbone on real
    images, one alone and many; nothing is left behind if it differs. data: as for `select_data`, for images to
    compare on where the run's own are not at hand. UserError: a file is there already, or an extra is missing;
    SslregError: the backbone cannot be exported, or what was written gives other features.
    """
    require_format(form, out)
    cards = out.with_name(f"{out.name}.json"), out.with_name(f"{out.name}.md")
    require_new(out, *cards, force=force)
    backbone = run.backbone().eval()
    chosen = select_evaluation_data(run, data)
    images = _images(run, chosen.samples)
    build = _build(run, backbone)
    with atomic_write_group(out) as drafts:
        draft = drafts / out.name
        write(form, backbone, images, draft)
        check = _checked(backbone, images, usage(form, draft, build), out, tolerance)
        content = card(
            run,
            file=out.name,
            sha256=hashlib.sha256(draft.read_bytes()).hexdigest(),
            form=form.value,
            code=usage(form, out.name, build),
            shape=list(images.shape[1:]),
            width=backbone.num_features,
            check={"images": len(images), "split": chosen.split, "data": chosen.component, **check},
        )
        (drafts / cards[0].name).write_text(json.dumps(content, indent=2) + "\n")
        (drafts / cards[1].name).write_text(as_markdown(content))
    return Exported((out, *cards), check["largest_difference"])


def _images(run: Run, samples: SampleDataset) -> Tensor:
    """Some images, spread over the data set, as they are embedded."""
    count = min(IMAGES, len(samples))
    rows = torch.linspace(0, len(samples) - 1, count).long().tolist()
    images = make_first_view(build_embed_collate(run.spec), [samples[row] for row in rows])
    # Of one image there is no batch to be free in, so it stands twice.
    return images if len(images) > 1 else images.repeat(2, 1, 1, 1)


def _checked(backbone: Backbone, images: Tensor, code: str, out: Path, tolerance: float) -> dict[str, float]:
    """The largest difference and the one that is allowed. SslregError: it is larger, or the code does not run."""
    with torch.no_grad():
        expected = backbone(images)
    try:
        alone, together = features_by(code, images[:1]), features_by(code, images)
    except Exception as error:
        raise SslregError(
            f"{out} was not written: what was exported cannot be used: {type(error).__name__}: {error}",
            code="export-differs",
        ) from error
    allowed = tolerance * max(1.0, float(expected.abs().max()))
    found = max(float((alone - expected[:1]).abs().max()), float((together - expected).abs().max()))
    if not found <= allowed:
        raise SslregError(
            f"{out} was not written: on real images its features differ from the backbone's by {found:.3g}, and "
            f"{allowed:.3g} are allowed",
            hint="another --format may do",
            code="export-differs",
        )
    return {"largest_difference": found, "allowed": allowed}


def _build(run: Run, backbone: Backbone) -> str:
    """The lines that make a module ``model`` for the exported state: by its own library, or else by sslreg."""
    if plain := backbone.plain():
        return plain.code
    component = next((each for each in find_components([run.spec.model]) if each.kind == "backbone"), None)
    if component is None:
        return f"import sslreg\nmodel = sslreg.load_run({str(run.path)!r}).backbone()"
    arguments = "".join(f", {name}={value!r}" for name, value in _arguments(run, component).items())
    return f"import sslreg\nmodel = sslreg.build('backbone', {component.use!r}{arguments})"


def _arguments(run: Run, component: ComponentSpec) -> dict[str, Any]:
    """What the backbone was built with, the run's facts included. Its weights are what is loaded afterwards."""
    written = {name: value for name, value in component.params.items() if name != "weights"}
    known = {
        name: run.facts[parameter.from_run]
        for name, parameter in parameters_of(component.info).items()
        if parameter.from_run is not None and run.facts.get(parameter.from_run) is not None
    }
    return known | written
