"""The file formats of an exported backbone. Imports no torch."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from pathlib import Path

from sslreg.errors import UserError


class Format(StrEnum):
    """The format of an exported backbone.

    * safetensors: weights, for torchvision's, timm's or sslreg's module;
    * torch_export: a program for torch;
    * onnx: a graph for onnxruntime and others (extra: onnx).
    """

    safetensors = "safetensors"
    torch_export = "torch_export"
    onnx = "onnx"


_SUFFIXES = {Format.safetensors: ".safetensors", Format.torch_export: ".pt2", Format.onnx: ".onnx"}


def require_format(file_format: Format, out: Path, *, patches: bool) -> None:
    """Check the name of a file, that the extra of its format is installed, and that the format can have patches.

    Args:
        file_format: The format.
        out: The file, whose name must have the ending of the format.
        patches: Whether the file should have an output for patches.

    Raises:
        UserError: A check fails.
    """
    if patches and file_format is Format.safetensors:
        raise UserError(
            f"--patches: a {file_format} file has weights but no outputs",
            hint="use --format torch_export or onnx; or leave --patches out: the same weights compute patches",
            code="bad-argument",
        )
    if out.suffix != _SUFFIXES[file_format]:
        raise UserError(
            f"--out {out}: the name of a {file_format} file must end in {_SUFFIXES[file_format]}", code="bad-argument"
        )
    for name in ("onnx", "onnxscript", "onnxruntime") if file_format is Format.onnx else ():
        try:
            import_module(name)
        except ImportError as error:
            raise UserError(
                f"ONNX needs {name}, which is not installed", hint="pip install 'sslreg[onnx]'", code="missing-extra"
            ) from error
