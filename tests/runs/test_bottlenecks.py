"""Advice follows from the measured times, and names the key to change."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from sslreg.runs.bottlenecks import WORTHWHILE, Advice, describe_bottleneck, find_advice, format_seconds, report_timing
from sslreg.runs.step_timing import StepTiming
from sslreg.spec import Spec, parse_spec

#: A step of a second on a GPU that computes all the time.
COMPUTING = {"waiting": 1.0, "transfer": 0.5, "forward": 40.0, "loss": 2.0, "backward": 54.0, "optimizer": 1.0}
COMPUTING |= {"logging": 0.5, "other": 1.0}

Advise = Callable[..., dict[str, Advice]]


def timing(seconds: dict[str, float], **facts: Any) -> StepTiming:
    """Return the times of 100 batches, in seconds; by default those of a computing GPU."""
    defaults = {"device": "cuda", "cores": 16, "workers": 2, "steps_per_epoch": 1000, "view_size": 224}
    return StepTiming(COMPUTING | seconds, batches=100, **(defaults | facts))


@pytest.fixture
def advise(tiny_spec: str) -> Advise:
    """Advise on times, with overrides of the spec."""

    def advise(measured: StepTiming, *overrides: str) -> dict[str, Advice]:
        return {one.key: one for one in find_advice(measured, parse_spec(tiny_spec, "tiny.yaml", overrides))}

    return advise


@pytest.fixture
def spec(tiny_spec: str) -> Spec:
    return parse_spec(tiny_spec, "tiny.yaml")


def test_a_training_that_computes_needs_no_advice(advise: Advise) -> None:
    assert advise(timing({})) == {}
    assert describe_bottleneck(timing({})) == (
        "compute-bound: forward, loss and backward take 96% of a step, waiting for data 1%"
    )


def test_what_takes_time_beside_computing_is_named() -> None:
    assert describe_bottleneck(timing({"optimizer": 60.0})) == (
        "forward, loss and backward take 60% of a step, and optimizer 38%"
    )


def test_too_few_steps_are_not_judged(advise: Advise) -> None:
    nothing = StepTiming({"startup": 1.0}, batches=0)
    assert advise(nothing) == {}
    assert describe_bottleneck(nothing) == "too few steps to measure their time"


#: A GPU that waits half of the time: two workers need four seconds for a batch, and the training one.
WAITING: dict[str, Any] = {"seconds": {"waiting": 99.0}, "loaded_batches": 10}


def waiting(reading: float, decoding: float, views: float, **facts: Any) -> StepTiming:
    loading = {"reading": 10 * reading, "decoding": 10 * decoding, "views": 10 * views}
    return timing(**WAITING, loading_seconds=loading, **facts)


def test_more_workers_are_advised_as_far_as_they_help(advise: Advise) -> None:
    measured = waiting(0.1, 0.1, 3.8)
    assert describe_bottleneck(measured) == (
        "training waits for data 50% of the time: without waiting, a step would take 990 ms instead of 1.98 s"
    )
    advice = advise(measured)["data.workers"]
    assert (advice.value, advice.saving) == (4, pytest.approx(0.495, abs=0.01))
    assert advice.text == "data.workers: 4 instead of 2 (16 cores) would shorten a step by about 49%"
    assert advise(waiting(0.1, 0.1, 3.8, cores=3))["data.workers"].value == 3
    assert "data.workers" not in advise(waiting(0.1, 0.1, 3.8, cores=2))


def test_on_a_cpu_workers_share_the_cores_with_the_training(advise: Advise) -> None:
    facts = {"device": "cpu", "cores": 4, "threads": 4}
    assert "data.workers" not in advise(waiting(0.1, 0.1, 3.8, **facts))
    assert advise(waiting(0.1, 0.1, 3.8, **(facts | {"threads": 1})))["data.workers"].value == 4


def test_no_worker_is_advised_if_passing_a_batch_takes_longer_than_loading_it(advise: Advise) -> None:
    advice = advise(waiting(0.0, 0.0, 0.1))["data.workers"]
    assert advice.value == 0
    assert advice.text.startswith("data.workers: 0 instead of 2 would shorten a step by about 45%: ")


def test_a_slow_data_set_is_named(advise: Advise) -> None:
    advice = advise(waiting(3.8, 0.1, 0.1))["data.train"]
    assert advice.text.startswith(
        "reading data.train (digits) takes 95% of loading; a step would be 50% shorter without it: use a faster disk"
    )


def test_slow_decoding_names_what_to_install_or_large_files(advise: Advise) -> None:
    counts = {"images": 100, "pixels": 100 * 12_000_000}
    installable = waiting(0.1, 3.8, 0.1, loading_counts=counts | {"faster with sslreg[fast]": 80})
    assert "pip install 'sslreg[fast]'" in advise(installable)["sslreg[fast]"].text
    large = advise(waiting(0.1, 3.8, 0.1, loading_counts=counts | {"faster with sslreg[fast]": 20}))
    assert "the images have 12 megapixels on average, and the largest view 224 × 224" in large["data.train"].text
    small = advise(waiting(0.1, 3.8, 0.1, loading_counts={"images": 100, "pixels": 100 * 300 * 300}))
    assert list(small) == ["data.workers"]


def test_slow_views_move_to_the_device_if_there_is_one(advise: Advise) -> None:
    measured = waiting(0.1, 0.1, 3.8)
    assert advise(measured)["views.place"].value == "device"
    assert "fewer or smaller views" in advise(measured, "views.0.place=device")["views"].text
    assert "fewer or smaller views" in advise(waiting(0.1, 0.1, 3.8, device="cpu"))["views"].text


def test_views_that_hold_up_the_device_return_to_the_host(advise: Advise) -> None:
    assert advise(timing({"transfer": 30.0}))["views.place"].value == "host"
    assert "views.place" not in advise(timing({"transfer": 30.0}), "views.0.place=host")


def test_a_slow_loss_is_named(advise: Advise) -> None:
    advice = advise(timing({"loss": 100.0}))["loss"]
    assert advice.text.startswith("loss (nt_xent) takes 51% of a step")
    assert advice.saving == pytest.approx(0.505, abs=0.01)


def test_a_small_batch_is_recognized_by_the_work_around_it(advise: Advise) -> None:
    advice = advise(timing({"optimizer": 40.0}))["data.batch_size"]
    assert (advice.value, advice.saving) == (128, pytest.approx(0.149, abs=0.01))
    # Workers that cannot load any faster would not load larger batches faster.
    held_up = timing({"optimizer": 40.0, "waiting": 99.0}, loaded_batches=1, loading_seconds={"views": 4.76})
    assert "data.batch_size" not in advise(held_up)


def test_frequent_logging_is_recognized(advise: Advise) -> None:
    measured = timing({"logging": 40.0})
    assert advise(measured, "trainer.log_every_n_steps=1")["trainer.log_every_n_steps"].value == 50
    assert "trainer.log_every_n_steps" not in advise(measured)


def test_long_evaluations_are_made_less_often(advise: Advise) -> None:
    measured = timing({"evaluation": 2000.0}, evaluations=4)  # 500 s, and an epoch takes 1000 s
    advice = advise(measured, "trainer.max_epochs=100")["evaluate.every"]
    assert (advice.value, advice.saving) == (10, pytest.approx(0.333 - 0.048, abs=0.01))
    assert "in evaluate, every: 10 instead of 1, or fewer images" in advice.text
    assert advise(measured, "trainer.max_epochs=-1", "trainer.max_steps=9")["evaluate.every"].value == 10
    short = advise(measured, "trainer.max_epochs=10")["evaluate.every"]
    assert short.value is None
    assert "leave out every, so that evaluators run only at the end" in short.text
    assert "evaluate.every" not in advise(measured, "evaluate=[{use: knn}]")
    assert "evaluate.every" not in advise(timing({"evaluation": 40.0}, evaluations=4))


def test_long_checkpoints_are_written_less_often(advise: Advise) -> None:
    measured = timing({"checkpoints": 100.0}, checkpoints=5)
    by_steps = advise(measured, "checkpoint.every_steps=20")["checkpoint.every_steps"]
    assert (by_steps.value, by_steps.saving) == (380, pytest.approx(0.45, abs=0.01))
    by_time = advise(measured, "checkpoint.every_minutes=1")["checkpoint.every_minutes"]
    assert (by_time.value, by_time.saving) == (6.3, pytest.approx(0.2, abs=0.01))
    assert advise(measured) == {}


def test_advice_is_sorted_and_worthwhile(spec: Spec) -> None:
    advice = find_advice(timing({"loss": 100.0, "optimizer": 60.0}), spec)
    assert [one.key for one in advice] == ["loss", "data.batch_size"]
    assert all(one.saving > WORTHWHILE for one in advice)


NUMBER, TEXT = {"type": "number"}, {"type": "string"}
SHARES = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "summary": TEXT,
        "step_seconds": NUMBER,
        "step_seconds_without_waiting": NUMBER,
        "images_per_second": NUMBER,
        "loader_images_per_second": {"type": ["number", "null"]},
        "shares": SHARES,
        "step_shares": SHARES,
        "loading_shares": SHARES,
        "advice": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"key": TEXT, "value": {}, "saving": NUMBER, "text": TEXT},
                "required": ["key", "value", "saving", "text"],
            },
        },
        "measured": {"type": "object"},
    },
}
SCHEMA["required"] = list(SCHEMA["properties"])  # type: ignore[call-overload]


@pytest.mark.parametrize("measured", [waiting(0.1, 0.1, 3.8), StepTiming({}, batches=0)])
def test_the_report_has_a_stable_form(measured: StepTiming, spec: Spec) -> None:
    report = json.loads(json.dumps(report_timing(measured, spec)))
    jsonschema.validate(report, SCHEMA)
    assert StepTiming(**report["measured"]) == measured


def test_times_have_three_digits() -> None:
    assert [format_seconds(seconds) for seconds in (0.0123456, 1.23456, 123.4)] == ["12.3 ms", "1.23 s", "123 s"]
