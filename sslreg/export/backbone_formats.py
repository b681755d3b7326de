"""The forms that a backbone can be written in. Imports no torch."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from pathlib import Path

from sslreg.errors import UserError


class Format(StrEnum):
    """safetensors: weights, for torchvision's, timm's or sslreg's own module; torch_export: a program for torch;
    onnx: a graph for onnxruntime and others (extra: onnx)."""

    safetensors = "safetensors"
    torch_export = "torch_export"
    onnx = "onnx"


_SUFFIXES = {Format.safetensors: ".safetensors", Format.torch_export: ".pt2", Format.onnx: ".onnx"}


def require_format(form: Format, out: Path) -> None:
    """UserError: the file's name does not end as the format's files do, or its extra is not installed."""
    if out.suffix != _SUFFIXES[form]:
        raise UserError(f"--out {out}: a file of {form} has to end in {_SUFFIXES[form]}", code="bad-argument")
    for name in ("onnx", "onnxscript", "onnxruntime") if form is Format.onnx else ():
        try:
            import_module(name)
        except ImportError as error:
            raise UserError(
                f"ONNX needs {name}, which is not installed", hint="pip install 'sslreg[onnx]'", code="missing-extra"
            ) from error
