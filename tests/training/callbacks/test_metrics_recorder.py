from types import SimpleNamespace

import torch
from torch import nn

from sslreg.training.callbacks.metrics_recorder import MetricsRecorder


class File(list):
    def append(self, rows) -> None:
        self.extend(rows)


def test_scheduled_options_are_recorded_if_they_are_numbers() -> None:
    groups = [
        {"params": [nn.Parameter(torch.zeros(1))], "lr": 0.1, "fixed_lr": True, "weight_decay": 0},
        {"params": [nn.Parameter(torch.zeros(1))], "lr": 0.2},
        {"params": [nn.Parameter(torch.zeros(1))], "lr": 0.3, "weight_decay": 0.02},
    ]
    changes = ("weight_decay", "betas", "unheard of")
    trainer = SimpleNamespace(
        global_step=0,
        current_epoch=0,
        optimizers=[torch.optim.AdamW(groups, weight_decay=0.05)],
        lr_scheduler_configs=[SimpleNamespace(scheduler=SimpleNamespace(changes=name)) for name in changes],
    )
    recorder = MetricsRecorder(File(), 1, "a loss")
    recorder.on_train_start(trainer, None)
    trainer.global_step = 1
    recorder.on_train_batch_end(trainer, None, {"figures": {"loss": 1.0}}, None, 0)

    assert recorder.file == [{"step": 1, "epoch": 0, "loss": 1.0, "lr": 0.2, "weight_decay": 0.05}]
