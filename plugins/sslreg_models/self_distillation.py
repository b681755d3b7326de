"""What DINO, iBOT and DINOv2 share: a student, and a teacher that is its slow copy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

import sslreg
from sslreg_models.dino_head import DINOHead


class SelfDistillation(sslreg.Model):
    """Base class of methods whose student matches the output of its slow copy, the teacher.

    Args:
        backbone: The backbone of the student.
        head: The head of the student, a module that contains one or more `DINOHead`.
        momentum: The share of the teacher that the first step keeps. It grows to 1 along half a cosine over the run.
        total_steps: The number of steps of the run.
        frozen_steps: The number of steps at the start in which the last layers of heads keep their random weights.

    Attributes:
        backbone: The backbone of the teacher, which is used after the training.
        head: The head of the teacher.
    """

    def __init__(
        self, backbone: sslreg.Backbone, head: nn.Module, momentum: float, total_steps: int, frozen_steps: int
    ) -> None:
        super().__init__()
        self.student_backbone = backbone
        self.student_head = head
        self.backbone = sslreg.momentum_copy(self.student_backbone)
        self.head = sslreg.momentum_copy(self.student_head)
        self.momentum = sslreg.CosineValue(momentum, 1.0, total_steps)
        self.frozen_steps = frozen_steps

    def trained_modules(self) -> Iterable[nn.Module]:
        return [self.student_backbone]

    def parameter_groups(self) -> Iterable[dict[str, Any]]:
        return sslreg.split_weight_decay(self)

    def before_step(self) -> None:
        """Freeze the last layers for the first epochs."""
        if self.momentum.step < self.frozen_steps:
            for module in self.student_head.modules():
                if isinstance(module, DINOHead):
                    module.last_layer.weight.grad = None

    def after_step(self) -> None:
        """Move the teacher towards the student."""
        sslreg.follow(self.backbone, self.student_backbone, self.momentum.value)
        sslreg.follow(self.head, self.student_head, self.momentum.value)
        self.momentum.advance()
