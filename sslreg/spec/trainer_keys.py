"""The keys of ``trainer``: the arguments of lightning.Trainer. A test compares the table with Lightning."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Interval
from pydantic import Field

from sslreg.spec.parameters import Parameter

_Precision = Literal[
    64,
    32,
    16,
    "transformer-engine",
    "transformer-engine-float16",
    "16-true",
    "16-mixed",
    "bf16-true",
    "bf16-mixed",
    "32-true",
    "64-true",
    "64",
    "32",
    "16",
    "bf16",
]
#: A number of batches, or a share of them.
_BatchLimit = Annotated[int, Ge(0)] | Annotated[float, Interval(ge=0, le=1)]
_Count = Annotated[int, Ge(0)]
_Positive = Annotated[int, Ge(1)]
#: A number, or -1 for no limit.
_Limit = Annotated[int, Ge(-1)]
#: Days, hours, minutes and seconds.
_Duration = Annotated[str, Field(pattern=r"^\d\d:\d\d:\d\d:\d\d$")]
_TimeUnits = dict[Literal["weeks", "days", "hours", "minutes", "seconds"], int]

#: The arguments of lightning.Trainer that a spec can set, with their types and defaults.
WRITABLE: dict[str, tuple[Any, Any]] = {
    "accelerator": (str, "auto"),
    "strategy": (str, "auto"),
    "devices": (list[int] | str | int, "auto"),
    "num_nodes": (_Positive, 1),
    "precision": (_Precision | None, None),
    "fast_dev_run": (_Count | bool, False),
    "max_epochs": (_Limit | None, None),
    "min_epochs": (_Count | None, None),
    "max_steps": (_Limit, -1),
    "min_steps": (_Count | None, None),
    "max_time": (_Duration | _TimeUnits | None, None),
    "limit_train_batches": (_BatchLimit | None, None),
    "limit_val_batches": (_BatchLimit | None, None),
    "limit_test_batches": (_BatchLimit | None, None),
    "limit_predict_batches": (_BatchLimit | None, None),
    "overfit_batches": (_BatchLimit, 0.0),
    "val_check_interval": (_BatchLimit | _Duration | _TimeUnits | None, None),
    "check_val_every_n_epoch": (_Positive | None, 1),
    "num_sanity_val_steps": (_Limit | None, None),
    "log_every_n_steps": (_Count | None, None),
    "accumulate_grad_batches": (_Positive, 1),
    "gradient_clip_val": (_Count | Annotated[float, Ge(0)] | None, None),
    "gradient_clip_algorithm": (Literal["norm", "value"] | None, None),
    "deterministic": (bool | Literal["warn"] | None, None),
    "benchmark": (bool | None, None),
    "inference_mode": (bool, True),
    "profiler": (Literal["simple", "advanced", "pytorch"] | None, None),
    "detect_anomaly": (bool, False),
    "sync_batchnorm": (bool, False),
    "reload_dataloaders_every_n_epochs": (_Count, 0),
}

#: The arguments that the run sets itself, with a hint for users who write them.
SET_BY_RUN: dict[str, str] = {
    "barebones": "remove it: the run logs and saves checkpoints",
    "callbacks": "list callbacks under `callbacks`, at the top level of the spec",
    "default_root_dir": "choose the run folder with --out",
    "enable_autolog_hparams": "remove it: the run folder contains the spec",
    "enable_checkpointing": "use `checkpoint`, at the top level of the spec",
    "enable_model_summary": "remove it: `sslreg plugins show` describes a model",
    "enable_progress_bar": "remove it: the run shows its own progress",
    "logger": "list loggers under `loggers`, at the top level of the spec",
    "model_registry": "remove it: checkpoints are in the run folder",
    "plugins": "remove it: `strategy` and `precision` choose the plugins",
    "use_distributed_sampler": "remove it: the run distributes samples among devices itself",
}


def trainer_parameters() -> dict[str, Parameter]:
    """Return the parameters that a spec can set under ``trainer``."""
    return {
        name: Parameter(name, annotation, default, f"The argument `{name}` of lightning.Trainer.")
        for name, (annotation, default) in WRITABLE.items()
    }
