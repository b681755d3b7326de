"""The command ``sslreg export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sslreg.cli.console import stdout
from sslreg.cli.options import OtherData, RunFolder
from sslreg.export.backbone_formats import Format


def export(
    run: RunFolder,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="safetensors: weights for plain torchvision or timm; torch_export: a program for torch (.pt2); "
            "onnx: a graph for onnxruntime (needs the extra onnx).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file; a model card is written next to it.")],
    data: OtherData = None,
    patches: Annotated[
        bool, typer.Option("--patches", help="Also return the features of patches; not with safetensors.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
) -> None:
    """Export a run's backbone for use elsewhere, with a model card.

    The exported file is checked on real images. The model card is written as JSON and as Markdown.
    """
    from sslreg.export.backbone import export_backbone
    from sslreg.runs import load_run

    exported = export_backbone(load_run(run), form, out, data=data, patches=patches, force=force)
    file, *cards = exported.files
    stdout.print(
        f"{file}: checked on real images; outputs differ by at most {exported.largest_difference:.2g}\n"
        f"{' and '.join(map(str, cards))}: the model card, with usage and training data",
    )
