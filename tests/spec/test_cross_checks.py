"""Parts of a spec that do not fit together are reported at their locations."""

import pytest

from sslreg import UserError
from sslreg.spec import induced_invariances, parse_spec


def test_a_view_that_removes_what_the_task_needs_causes_a_warning(valid, acme):
    spec = parse_spec(valid, overrides=["task={keep: [color]}"], catalog=acme)

    (warning,) = spec.warnings
    assert (warning.code, warning.severity) == ("invariance", "warning")
    assert (warning.line, warning.column) == (10, 9)
    assert "'jitter' teaches the model to overlook color" in warning.message


@pytest.mark.parametrize(
    "override",
    ["task={keep: [texture]}", "views.0.augment.1.p=0", "views.0.augment.1={use: one_of, augment: []}"],
)
def test_a_view_that_keeps_what_the_task_needs_causes_none(valid, acme, override):
    overrides = ["task={keep: [color]}", override]

    assert parse_spec(valid, overrides=overrides, catalog=acme).warnings == ()


def test_nested_augmentations_are_checked(valid, acme):
    nested = "views.0.augment.1={use: one_of, augment: [{use: crop, size: 8}, {use: jitter}]}"
    spec = parse_spec(valid, overrides=["task={keep: [color, shape]}", nested], catalog=acme)

    assert [warning.file for warning in spec.warnings] == ["<spec>", "--set", "--set"]


def test_induced_invariances_name_their_augmentations(valid, acme):
    spec = parse_spec(valid, catalog=acme)

    induced = induced_invariances(spec.views)
    assert {name: [component.use for component in found] for name, found in induced.items()} == {
        "shape": ["crop"],
        "color": ["jitter"],
    }


@pytest.mark.parametrize("overrides", [["views.0.repeat=1"], ["views.0.repeat=9"]])
def test_a_model_without_a_limit_takes_any_number_of_views(valid, acme, overrides):
    overrides = ["model={use: open, backbone: {use: tiny}}", *overrides]

    assert parse_spec(valid, overrides=overrides, catalog=acme).warnings == ()


@pytest.mark.parametrize("devices", ["4", "[0, 1]", "auto", "'2'", "-1", "0"])
def test_a_divisible_batch_is_accepted(valid, acme, devices):
    assert parse_spec(valid, overrides=[f"trainer.devices={devices}"], catalog=acme).trainer


def test_a_schedule_longer_than_the_training_is_an_error(tiny_spec):
    with pytest.raises(UserError, match="schedule 'cosine' needs 3 epochs, but the training has 2") as raised:
        parse_spec(tiny_spec, "tiny.yaml", overrides=["schedule.warmup_epochs=3"])

    assert raised.value.diagnostics[0].code == "schedule-too-long"


def test_a_schedule_longer_than_no_epoch_is_an_error(tiny_spec):
    with pytest.raises(UserError, match="needs 1 epochs, but the training has 0"):
        parse_spec(tiny_spec, "tiny.yaml", overrides=["schedule.warmup_epochs=1", "trainer.max_epochs=0"])


@pytest.mark.parametrize(
    "overrides",
    [["schedule.warmup_epochs=2"], ["trainer={max_steps: 5}"], ["trainer={max_steps: 5, max_epochs: -1}"]],
)
def test_a_schedule_that_fits_or_is_unknown_is_accepted(tiny_spec, overrides):
    assert parse_spec(tiny_spec, "tiny.yaml", overrides=overrides).schedule


def test_accumulation_with_a_loss_that_compares_a_batch_causes_a_warning(valid, acme):
    spec = parse_spec(valid, overrides=["trainer.accumulate_grad_batches=4"], catalog=acme)

    (warning,) = spec.warnings
    assert (warning.code, warning.severity) == ("accumulation", "warning")
    assert "does not add negatives: loss 'contrast'" in warning.message


@pytest.mark.parametrize(("loss", "count"), [("prototypes", 1), ("contrast", 0)])
def test_a_loss_declares_whether_it_compares_a_batch(valid, acme, loss, count, monkeypatch):
    monkeypatch.setattr("acme_parts.Prototypes.compares_batch", True)
    monkeypatch.setattr("acme_parts.Contrast.compares_batch", False)
    monkeypatch.setattr("acme_parts.Pairs.gives", ("pair", "prototype scores"))
    overrides = ["trainer.accumulate_grad_batches=4", f"loss={{use: {loss}}}"]

    assert len(parse_spec(valid, overrides=overrides, catalog=acme).warnings) == count


@pytest.mark.parametrize(
    "overrides",
    [
        ["trainer.accumulate_grad_batches=1"],
        ["trainer.accumulate_grad_batches=4", "loss.memory_bank={use: fifo, size: 64}"],
        ["trainer.accumulate_grad_batches=4", "loss={use: prototypes}", "model={use: open, backbone: {use: tiny}}"],
    ],
)
def test_accumulation_without_lost_negatives_causes_no_warning(valid, acme, overrides, monkeypatch):
    monkeypatch.setattr("acme_parts.Open.gives", ("prototype scores",))

    assert parse_spec(valid, overrides=overrides, catalog=acme).warnings == ()
