"""Writing of a backbone in each format, and the Python code that uses the file."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from sslreg.contracts import Backbone, PatchBackbone
from sslreg.errors import SslregError
from sslreg.export.backbone_formats import Format
from sslreg.runs.run import require_patches

_TORCH_EXPORT = """import torch
model = torch.export.load({path!r}).module()
{outputs} = model(images)"""

_ONNX = """import onnxruntime
session = onnxruntime.InferenceSession({path!r})
[{outputs}] = session.run({names}, {{"images": images.numpy()}})"""

_SAFETENSORS = """{build}
from safetensors.torch import load_file
model.load_state_dict(load_file({path!r}))
features = model.eval()(images)"""


class FeaturesAndPatches(nn.Module):
    """A module that returns the features (N, D) of a backbone and those of patches (N, rows, columns, D)."""

    def __init__(self, backbone: PatchBackbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.backbone.features_and_patches(images)


def compute_outputs(backbone: Backbone, images: Tensor, *, patches: bool) -> dict[str, Tensor]:
    """Return the outputs that an exported file should have. Raises UserError if the backbone has no patches."""
    with torch.no_grad():
        outputs = {"features": backbone(images)}
        return outputs | ({"patches": require_patches(backbone).patches(images)} if patches else {})


def write_backbone(
    file_format: Format, backbone: Backbone, images: Tensor, path: Path, *, patches: bool = False
) -> None:
    """Write a backbone in eval mode. The batch size N is dynamic.

    Args:
        file_format: The format.
        backbone: The backbone.
        images: Example images (N, C, H, W), N ≥ 2.
        path: The file.
        patches: Whether the file gets the output `patches` in addition to `features`. Not for safetensors.

    Raises:
        UserError: The backbone has no patches.
        SslregError: torch cannot export this backbone.
    """
    if file_format is Format.safetensors:
        plain = backbone.plain()
        state = (plain.module if plain else backbone).state_dict()
        # Python writes the files, since errors of torch and safetensors do not say that a disk is full.
        path.write_bytes(save({name: value.contiguous().clone() for name, value in state.items()}, {"format": "pt"}))
        return
    module = FeaturesAndPatches(require_patches(backbone)) if patches else backbone
    batch = ({0: torch.export.Dim("batch", min=1)},)
    try:
        with _silence():
            program = torch.export.export(module, (images[:2],), dynamic_shapes=batch)
            for node in program.graph.nodes:
                node.meta.pop("stack_trace", None)  # it names files of this machine
            if file_format is Format.torch_export:
                buffer = io.BytesIO()
                torch.export.save(program, buffer)
                path.write_bytes(buffer.getbuffer())
            else:
                graph: Any = torch.onnx.export(
                    *(program, ()),
                    dynamic_shapes=batch,
                    input_names=["images"],
                    output_names=["features", "patches"] if patches else ["features"],
                    verbose=False,
                )
                graph.save(path, external_data=False)
    except OSError:
        raise
    except Exception as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), "")
        raise SslregError(
            f"{type(backbone).__name__} cannot be written as {file_format}: {type(error).__name__}: {reason}",
            hint="--format safetensors supports every backbone",
            code="cannot-export",
        ) from error


def format_usage(file_format: Format, path: Path | str, build: str, outputs: Sequence[str]) -> str:
    """Return Python code from ``images``, a tensor (N, C, H, W), to its outputs.

    Args:
        file_format: The format of the file.
        path: The file.
        build: The code that builds the module.
        outputs: The names of the outputs, see `compute_outputs`.
    """
    template = {Format.safetensors: _SAFETENSORS, Format.torch_export: _TORCH_EXPORT, Format.onnx: _ONNX}[file_format]
    names = "[" + ", ".join(f'"{name}"' for name in outputs) + "]"
    return template.format(path=str(path), build=build, outputs=", ".join(outputs), names=names)


def run_usage(code: str, images: Tensor, outputs: Iterable[str]) -> dict[str, Tensor]:
    """Return the named outputs for images by the code of `format_usage`."""
    names = {"images": images}
    with torch.no_grad(), _silence():
        exec(compile(code, "<usage>", "exec"), names)
    return {name: torch.as_tensor(names[name]).detach() for name in outputs}


@contextmanager
def _silence() -> Iterator[None]:
    """Hide the output, logs and warnings of exporters. Errors are still raised."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
