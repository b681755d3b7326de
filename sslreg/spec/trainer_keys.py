"""The keys under ``trainer:``, which are lightning.Trainer's. A test keeps the table true."""

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
_Batches = int | float | None

#: Lightning's arguments that have a form in a spec: type and default.
TABLE: dict[str, tuple[Any, Any]] = {
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
    "limit_train_batches": (_Batches, None),
    "limit_val_batches": (_Batches, None),
    "limit_test_batches": (_Batches, None),
    "limit_predict_batches": (_Batches, None),
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

#: Lightning's arguments that the run sets itself, and what to write instead.
OWNED: dict[str, str] = {
    "barebones": "leave it out: the run logs and saves checkpoints",
    "callbacks": "list callbacks under `callbacks` of the spec",
    "default_root_dir": "the run folder is given by --out",
    "enable_autolog_hparams": "leave it out: the run folder keeps the spec",
    "enable_checkpointing": "see `checkpoint` of the spec",
    "logger": "list loggers under `loggers` of the spec",
    "model_registry": "leave it out: checkpoints are in the run folder",
    "plugins": "leave it out: `strategy` and `precision` choose them",
    "use_distributed_sampler": "leave it out: the run's sampler shares samples among devices",
}


def trainer_keys() -> dict[str, Parameter]:
    """The table as what a spec may write."""
    return {
        name: Parameter(name, annotation, default, f"lightning.Trainer's `{name}`.")
        for name, (annotation, default) in TABLE.items()
    }
