"""sslreg: self-supervised learning on images, from plugins and a YAML spec.

The whole public API is here. Names are looked up when they are first used, so importing the package is cheap and
imports no torch; a plugin's module may import it freely.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sslreg.assembly import build as build, build_collate as build_collate
    from sslreg.contracts import (
        Augmentation as Augmentation,
        Backbone as Backbone,
        Batch as Batch,
        Dataset as Dataset,
        Embeddings as Embeddings,
        EvaluatedRun as EvaluatedRun,
        Evaluator as Evaluator,
        ImageLike as ImageLike,
        Images as Images,
        Keys as Keys,
        Loss as Loss,
        MemoryBank as MemoryBank,
        Model as Model,
        Params as Params,
        PlainModule as PlainModule,
        Sample as Sample,
        StepOutput as StepOutput,
    )
    from sslreg.errors import Diagnostic as Diagnostic, SslregError as SslregError, UserError as UserError
    from sslreg.registry import ComponentInfo as ComponentInfo, Registry as Registry, hookimpl as hookimpl
    from sslreg.report import Preview as Preview, preview as preview, write_report as write_report
    from sslreg.spec import Spec as Spec, load_spec as load_spec
    from sslreg.spec.from_run import FromRun as FromRun
    from sslreg.training import Run as Run, load_run as load_run, resume as resume, train as train
    from sslreg.views import (
        Collate as Collate,
        DeferredBatch as DeferredBatch,
        Operation as Operation,
        ViewPlan as ViewPlan,
        WithProbability as WithProbability,
        apply_where as apply_where,
        empty_result as empty_result,
        load_image as load_image,
        noise_like as noise_like,
    )

#: Every public name, by the module that it lives in.
_HOMES = {
    "sslreg.assembly": "build build_collate",
    "sslreg.contracts": (
        "Augmentation Backbone Batch Dataset Embeddings EvaluatedRun Evaluator ImageLike Images Keys Loss MemoryBank "
        "Model Params PlainModule Sample StepOutput"
    ),
    "sslreg.errors": "Diagnostic SslregError UserError",
    "sslreg.registry": "ComponentInfo Registry hookimpl",
    "sslreg.report": "Preview preview write_report",
    "sslreg.spec": "Spec load_spec",
    "sslreg.spec.from_run": "FromRun",
    "sslreg.training": "Run load_run resume train",
    "sslreg.views": (
        "Collate DeferredBatch Operation ViewPlan WithProbability apply_where empty_result load_image noise_like"
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = list(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sslreg' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
