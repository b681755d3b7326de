"""Writing a backbone in each of its forms, and the lines of Python with which what was written is used."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from sslreg.contracts import Backbone
from sslreg.errors import SslregError
from sslreg.export.backbone_formats import Format

_TORCH_EXPORT = """import torch
model = torch.export.load({path!r}).module()
features = model(images)"""

_ONNX = """import onnxruntime
session = onnxruntime.InferenceSession({path!r})
(features,) = session.run(["features"], {{"images": images.numpy()}})"""

_SAFETENSORS = """{build}
from safetensors.torch import load_file
model.load_state_dict(load_file({path!r}))
features = model.eval()(images)"""


def write(form: Format, backbone: Backbone, images: Tensor, path: Path) -> None:
    """Write a backbone in eval mode. images: (N, C, H, W), N ≥ 2, an example; N is free in what is written.

    SslregError: torch cannot export this backbone.
    """
    if form is Format.safetensors:
        plain = backbone.plain()
        state = (plain.module if plain else backbone).state_dict()
        save_file({name: value.contiguous().clone() for name, value in state.items()}, path, {"format": "pt"})
        return
    batch = ({0: torch.export.Dim("batch", min=1)},)
    try:
        with _silence():
            program = torch.export.export(backbone, (images[:2],), dynamic_shapes=batch)
            for node in program.graph.nodes:
                node.meta.pop("stack_trace", None)  # which names files of this machine
            if form is Format.torch_export:
                torch.export.save(program, path)
            else:
                graph: Any = torch.onnx.export(
                    *(program, ()),
                    dynamic_shapes=batch,
                    input_names=["images"],
                    output_names=["features"],
                    verbose=False,
                )
                graph.save(path, external_data=False)
    except OSError:
        raise
    except Exception as error:
        said = next((line for line in str(error).splitlines() if line.strip()), "")
        raise SslregError(
            f"{type(backbone).__name__} cannot be written as {form}: {type(error).__name__}: {said}",
            hint="--format safetensors takes any backbone",
            code="cannot-export",
        ) from error


def usage(form: Format, path: Path | str, build: str) -> str:
    """Lines of Python from ``images``, a tensor (N, C, H, W), to ``features``. build: those that make the module."""
    template = {Format.safetensors: _SAFETENSORS, Format.torch_export: _TORCH_EXPORT, Format.onnx: _ONNX}[form]
    return template.format(path=str(path), build=build)


def run(code: str, images: Tensor) -> Tensor:
    """The features (N, D) that the lines of `usage` give for images."""
    names = {"images": images}
    with torch.no_grad(), _silence():
        exec(compile(code, "<usage>", "exec"), names)
    return torch.as_tensor(names["features"]).detach()


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what exporters print, log and warn of away from the user; errors still come through."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
