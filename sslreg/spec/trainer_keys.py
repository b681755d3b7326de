"""The keys of ``trainer``: the arguments of lightning.Trainer. A test compares the table with Lightning."""

from __future__ import annotations

from typing import Any, Literal

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
_BatchLimit = int | float | None

#: The arguments of lightning.Trainer that a spec can set, with their types and defaults.
WRITABLE: dict[str, tuple[Any, Any]] = {
    "accelerator": (str, "auto"),
    "strategy": (str, "auto"),
    "devices": (list[int] | str | int, "auto"),
    "num_nodes": (int, 1),
    "precision": (_Precision | None, None),
    "fast_dev_run": (int | bool, False),
    "max_epochs": (int | None, None),
    "min_epochs": (int | None, None),
    "max_steps": (int, -1),
    "min_steps": (int | None, None),
    "max_time": (str | dict[str, int] | None, None),
    "limit_train_batches": (_BatchLimit, None),
    "limit_val_batches": (_BatchLimit, None),
    "limit_test_batches": (_BatchLimit, None),
    "limit_predict_batches": (_BatchLimit, None),
    "overfit_batches": (int | float, 0.0),
    "val_check_interval": (int | float | str | dict[str, int] | None, None),
    "check_val_every_n_epoch": (int | None, 1),
    "num_sanity_val_steps": (int | None, None),
    "log_every_n_steps": (int | None, None),
    "enable_progress_bar": (bool | None, None),
    "enable_model_summary": (bool | None, None),
    "accumulate_grad_batches": (int, 1),
    "gradient_clip_val": (int | float | None, None),
    "gradient_clip_algorithm": (str | None, None),
    "deterministic": (bool | Literal["warn"] | None, None),
    "benchmark": (bool | None, None),
    "inference_mode": (bool, True),
    "profiler": (str | None, None),
    "detect_anomaly": (bool, False),
    "sync_batchnorm": (bool, False),
    "reload_dataloaders_every_n_epochs": (int, 0),
}

#: The arguments that the run sets itself, with a hint for users who write them.
SET_BY_RUN: dict[str, str] = {
    "barebones": "remove it: the run logs and saves checkpoints",
    "callbacks": "list callbacks under `callbacks`, at the top level of the spec",
    "default_root_dir": "choose the run folder with --out",
    "enable_autolog_hparams": "remove it: the run folder contains the spec",
    "enable_checkpointing": "use `checkpoint`, at the top level of the spec",
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
