"""The checks of a model's momentum encoders and frozen teachers; see `sslreg.momentum_copy` and `sslreg.frozen`."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from sslreg.contracts import Model
from sslreg.testing.case import Case
from sslreg.testing.checks import check
from sslreg.testing.training_steps import (
    backward,
    build_model,
    find_frozen_modules,
    find_momentum_copies,
    move_at_random,
    require_equal_state,
    run_step,
    take_step,
)


@check("model")
def keeps_momentum_encoders_apart(case: Case) -> None:
    model = build_model(case)
    grouped = {id(parameter) for group in model.parameter_groups() for parameter in group["params"]}
    for name, copied in find_momentum_copies(model).items():
        outside = _parameters_outside(model, name)
        for path, parameter in copied.named_parameters(prefix=name):
            shared = outside.get(id(parameter))
            assert shared is None or not parameter.requires_grad, (
                f"{path} is the same parameter as {shared}, so the momentum encoder is the trained network itself; "
                "make it with sslreg.momentum_copy, and assign no module of the trained network to it"
            )
            assert not parameter.requires_grad, (
                f"{path} requires a gradient, but belongs to a sslreg.momentum_copy, which only sslreg.follow moves"
            )
            assert id(parameter) not in grouped, (
                f"{path} is in parameter_groups, but belongs to a sslreg.momentum_copy; leave out what does not "
                "require a gradient"
            )


def _parameters_outside(model: Model, name: str) -> dict[int, str]:
    """Return the names of the parameters outside of a module, by their identities."""
    return {
        id(parameter): path
        for path, parameter in model.named_parameters(remove_duplicate=False)
        if not path.startswith(f"{name}.")
    }


@check("model")
def moves_momentum_encoders_after_the_step(case: Case) -> None:
    model = build_model(case)
    copies = find_momentum_copies(model)
    before = _copy_parameters(copies)
    output = run_step(model, additional=1)
    _require_unmoved(copies, before, "training_step")
    backward(model, output)
    model.before_step()
    _require_unmoved(copies, before, "before_step")
    move_at_random(model)
    model.after_step()
    for name, copied in copies.items():
        assert _has_moved(copied, before[name]), (
            f"the momentum encoder {name} does not move in after_step; call "
            f"sslreg.follow(self.{name}, …, momentum) there"
        )


def _copy_parameters(modules: dict[str, nn.Module]) -> dict[str, list[Tensor]]:
    return {name: [weight.detach().clone() for weight in module.parameters()] for name, module in modules.items()}


def _has_moved(module: nn.Module, before: list[Tensor]) -> bool:
    return any((weight != past).any() for weight, past in zip(module.parameters(), before, strict=True))


def _require_unmoved(copies: dict[str, nn.Module], before: dict[str, list[Tensor]], method: str) -> None:
    for name, copied in copies.items():
        assert not _has_moved(copied, before[name]), (
            f"the momentum encoder {name} moves in {method}, also if the step is skipped; call sslreg.follow in "
            "after_step"
        )


@check("model")
def leaves_frozen_modules_alone(case: Case) -> None:
    model = build_model(case)
    teachers = find_frozen_modules(model)
    before = {name: copy.deepcopy(module.wrapped.state_dict()) for name, module in teachers.items()}
    used_in_train_mode: set[str] = set()

    def note_mode(part: nn.Module, name: str) -> None:
        if part.training:
            used_in_train_mode.add(name)

    for name, module in teachers.items():
        for part in module.wrapped.modules():
            part.register_forward_pre_hook(lambda part, _, name=name: note_mode(part, name))
            note_mode(part, name)
    take_step(model)
    parameters = {id(parameter) for parameter in model.parameters()}
    for name, module in teachers.items():
        weights = list(module.wrapped.parameters())
        assert parameters.isdisjoint(map(id, weights)), (
            f"parameters of {name} are also parameters of the model; after sslreg.frozen(teacher), do not assign the "
            "teacher to another attribute"
        )
        assert name not in used_in_train_mode, f"{name} is in train mode, but sslreg.frozen keeps it in eval mode"
        assert not any(weight.requires_grad or weight.grad is not None for weight in weights), (
            f"{name} gets gradients, but is sslreg.frozen; do not call requires_grad_ on the module within"
        )
        require_equal_state(module.wrapped.state_dict(), before[name], f"of {name} changes, but is sslreg.frozen")
