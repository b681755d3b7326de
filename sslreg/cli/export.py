"""sslreg export"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sslreg.cli.console import stdout
from sslreg.cli.options import OtherData
from sslreg.export.backbone_formats import Format


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="safetensors: weights that plain torchvision or timm loads; torch_export: a program for torch (.pt2); "
            "onnx: a graph for onnxruntime (extra: onnx).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file; a model card is put beside it.")],
    data: OtherData = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there already.")] = False,
) -> None:
    """Write a run's backbone for use elsewhere, with a model card.

    What is written has been run on real images. The card is there as JSON and as Markdown.
    """
    from sslreg.export.backbone import export_backbone
    from sslreg.training import load_run

    exported = export_backbone(load_run(run), form, out, data=data, force=force)
    file, *cards = exported.files
    stdout.print(
        f"{file}: checked on real images, features differ by {exported.largest_difference:.2g} at most\n"
        f"{' and '.join(map(str, cards))}: how to use it, and what it was trained on",
        highlight=False,
    )
