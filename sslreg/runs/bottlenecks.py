"""What holds a training up, and what to change, from the time of its phases."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from sslreg.metric_names import format_count
from sslreg.runs.step_timing import StepTiming
from sslreg.spec import Spec

#: The smallest share of the time that advice has to save.
WORTHWHILE = 0.05
#: The share of evaluations and of checkpoints that advice aims at.
_TARGET_SHARE = 0.05
#: The share of computing in a step from which a training is compute-bound.
_COMPUTE_BOUND = 0.75
#: The share of a step from which a loss is large.
_LARGE_LOSS = 0.2
#: The number of pixels per pixel of the largest view from which smaller files are advised.
_MANY_PIXELS = 4


@dataclass(frozen=True)
class Advice:
    """A change that would make a training faster.

    Attributes:
        key: The key of the spec, or the package to install.
        value: The proposed value, as the spec writes it; None if it depends on more than time.
        saving: The share of the time of a step that it saves, at most; for evaluations and checkpoints, of the whole
            training.
        text: The measurement and the change, in a sentence.
    """

    key: str
    value: Any
    saving: float
    text: str


def describe_bottleneck(timing: StepTiming) -> str:
    """Return a sentence about what takes the time of a step."""
    if not timing.step_seconds:
        return "too few steps to measure their time"
    waiting = timing.step_share("waiting")
    if waiting >= WORTHWHILE:
        return (
            f"training waits for data {waiting:.0%} of the time: without waiting, a step would take "
            f"{format_seconds(timing.step_seconds_without_waiting)} instead of {format_seconds(timing.step_seconds)}"
        )
    computing = timing.step_share("forward", "loss", "backward")
    if computing >= _COMPUTE_BOUND:
        return (
            f"compute-bound: forward, loss and backward take {computing:.0%} of a step, waiting for data {waiting:.0%}"
        )
    largest = max(("transfer", "optimizer", "logging", "other"), key=timing.step_share)
    return f"forward, loss and backward take {computing:.0%} of a step, and {largest} {timing.step_share(largest):.0%}"


def find_advice(timing: StepTiming, spec: Spec) -> list[Advice]:
    """Return the changes that would save more than `WORTHWHILE` of the time, the most useful ones first."""
    if not timing.step_seconds:
        return []
    found = [
        *_advise_on_loading(timing, spec),
        *_advise_on_steps(timing, spec),
        *_advise_on_evaluations(timing, spec),
        *_advise_on_checkpoints(timing, spec),
    ]
    return sorted((one for one in found if one.saving > WORTHWHILE), key=lambda one: -one.saving)


def report_timing(timing: StepTiming, spec: Spec) -> dict[str, Any]:
    """Return the measurements, what follows from them, and the advice, as plain data for a JSON file."""
    return {
        "summary": describe_bottleneck(timing),
        "step_seconds": timing.step_seconds,
        "step_seconds_without_waiting": timing.step_seconds_without_waiting,
        "images_per_second": timing.images_per_second,
        "loader_images_per_second": timing.loader_images_per_second,
        "shares": timing.shares,
        "step_shares": timing.step_shares,
        "loading_shares": timing.loading_shares,
        "advice": [asdict(advice) for advice in find_advice(timing, spec)],
        "measured": asdict(timing),
    }


def format_seconds(seconds: float) -> str:
    """Return a time with three digits, such as 12.3 ms."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _predict_batch_seconds(timing: StepTiming, loading: float, workers: int) -> float:
    """Return the seconds that a batch would take.

    Args:
        timing: The measurements.
        loading: The seconds in which a process would load a batch.
        workers: The number of processes that would load; 0 if the training itself does.
    """
    training = timing.batch_seconds() - timing.batch_seconds("waiting")
    if not workers:
        return training + loading
    # On a CPU, workers share the cores with the training.
    own = timing.threads * training if timing.device == "cpu" else 0.0
    return max(training, loading / workers, (own + loading) / timing.cores)


def _saving(timing: StepTiming, share: float) -> float:
    """Return the share of a step that is saved without this share of it: workers may not load any faster than now."""
    now = timing.batch_seconds()
    slowest = timing.loading_batch_seconds / timing.workers if timing.workers else 0.0
    return min(share, max(0.0, 1 - slowest / now))


def _advise_on_loading(timing: StepTiming, spec: Spec) -> Iterator[Advice]:
    loading = timing.loading_batch_seconds
    if timing.step_share("waiting") <= WORTHWHILE or not loading:
        return
    yield from _advise_on_workers(timing, loading)
    now = min(timing.batch_seconds(), _predict_batch_seconds(timing, loading, timing.workers))
    for phase, share in timing.loading_shares.items():
        saving = 1 - _predict_batch_seconds(timing, loading * (1 - share), timing.workers) / now
        effect = f"{share:.0%} of loading; a step would be {saving:.0%} shorter without it"
        if saving > WORTHWHILE and (advice := _advise_on_loading_phase(phase, saving, effect, timing, spec)):
            yield advice


def _advise_on_workers(timing: StepTiming, loading: float) -> Iterator[Advice]:
    """Yield the number of workers that would shorten a step."""
    measured = timing.batch_seconds()
    if timing.workers and (alone := _predict_batch_seconds(timing, loading, 0)) < measured:
        text = (
            f"data.workers: 0 instead of {timing.workers} would shorten a step by about {1 - alone / measured:.0%}: "
            f"loading a batch takes {format_seconds(loading)}, less than waiting for a worker"
        )
        yield Advice("data.workers", 0, 1 - alone / measured, text)
    options = {workers: _predict_batch_seconds(timing, loading, workers) for workers in range(1, timing.cores + 1)}
    workers = next(workers for workers, seconds in options.items() if seconds <= 1.02 * min(options.values()))
    if workers > timing.workers:
        saving = 1 - options[workers] / min(measured, _predict_batch_seconds(timing, loading, timing.workers))
        text = (
            f"data.workers: {workers} instead of {timing.workers} ({format_count(timing.cores, 'core')}) would shorten "
            f"a step by about {saving:.0%}"
        )
        yield Advice("data.workers", workers, saving, text)


def _advise_on_loading_phase(phase: str, saving: float, effect: str, timing: StepTiming, spec: Spec) -> Advice | None:
    """Return how to shorten a part of loading, None if nothing is known."""
    if phase == "reading":
        start = f"reading data.train ({spec.data.train.use}) takes {effect}"
        return Advice("data.train", None, saving, f"{start}: use a faster disk, shards, or a faster data set")
    if phase == "views":
        if timing.device != "cpu" and any(view.place != "device" for view in spec.views):
            text = f"making views takes {effect}: place: device in views moves more of it to the device"
            return Advice("views.place", "device", saving, text)
        text = f"making views takes {effect}: use fewer or smaller views, or fewer operations"
        return Advice("views", None, saving, text)
    images = timing.loading_counts.get("images", 0)
    packages = {name: count for name, count in timing.loading_counts.items() if name.startswith("faster with ")}
    if packages and max(packages.values()) >= images / 2:
        package = max(packages, key=lambda name: packages[name]).removeprefix("faster with ")
        text = f"decoding takes {effect}: pip install '{package}' makes it faster"
        return Advice(package, None, saving, text)
    pixels = timing.loading_counts.get("pixels", 0) / (images or 1)
    if timing.view_size and pixels > _MANY_PIXELS * timing.view_size**2:
        text = (
            f"decoding takes {effect}: store smaller files, the images have {pixels / 1e6:.2g} megapixels on average, "
            f"and the largest view {timing.view_size} × {timing.view_size} pixels"
        )
        return Advice("data.train", None, saving, text)
    return None


def _advise_on_steps(timing: StepTiming, spec: Spec) -> Iterator[Advice]:
    transfer = timing.step_share("transfer")
    if timing.device != "cpu" and any(view.place != "host" for view in spec.views):
        text = f"copying a batch and its views on the device take {transfer:.0%} of a step: try place: host in views"
        yield Advice("views.place", "host", _saving(timing, transfer), text)
    logging, every = timing.step_share("logging"), spec.trainer.get("log_every_n_steps", 50)
    if every < 50:
        text = f"logging takes {logging:.0%} of a step: trainer.log_every_n_steps: 50 instead of {every}"
        yield Advice("trainer.log_every_n_steps", 50, _saving(timing, logging * (1 - every / 50)), text)
    loss = timing.step_share("loss")
    if loss > _LARGE_LOSS:
        text = (
            f"loss ({spec.loss.use}) takes {loss:.0%} of a step, without its backward pass: choose another loss, or a "
            "smaller batch or memory bank"
        )
        yield Advice("loss", None, _saving(timing, loss), text)
    # The optimizer and the work around a step take as long for a batch of any size.
    fixed = timing.step_share("optimizer", "logging", "other")
    if timing.steps_per_epoch > 1:
        batch_size, saving = spec.data.batch_size, _saving(timing, fixed / 2)
        text = (
            f"optimizer, logging and other work take {fixed:.0%} of a step, whatever the batch: data.batch_size: "
            f"{2 * batch_size} instead of {batch_size} would save about {saving:.0%} per image; it changes the training"
        )
        yield Advice("data.batch_size", 2 * batch_size, saving, text)


def _advise_on_evaluations(timing: StepTiming, spec: Spec) -> Iterator[Advice]:
    periods = [int(component.keys["every"]) for component in spec.evaluate if component.keys.get("every")]
    if not periods or not timing.evaluations or spec.guard is not None:  # whose evaluations have other periods
        return
    each, every = timing.seconds.get("evaluation", 0.0) / timing.evaluations, min(periods)
    epoch = timing.step_seconds * timing.steps_per_epoch
    share, longer = each / (every * epoch + each), math.ceil(each * (1 / _TARGET_SHARE - 1) / epoch)
    if longer <= every:
        return
    start = f"an evaluation takes {format_seconds(each)} on average, and an epoch {format_seconds(epoch)}: in evaluate,"
    end = "or fewer images in data.reference and data.test"
    max_epochs = spec.trainer.get("max_epochs") or -1
    if max_epochs < 0 or longer < max_epochs:  # Lightning's -1 is no limit
        saving = share - each / (longer * epoch + each)
        yield Advice("evaluate.every", longer, saving, f"{start} every: {longer} instead of {every}, {end}")
    else:
        text = f"{start} leave out every, so that evaluators run only at the end, {end}"
        yield Advice("evaluate.every", None, share, text)


def _advise_on_checkpoints(timing: StepTiming, spec: Spec) -> Iterator[Advice]:
    every_steps = spec.checkpoint.every_steps
    if not timing.checkpoints:
        return
    each = timing.seconds.get("checkpoints", 0.0) / timing.checkpoints
    by_time = 60 * spec.checkpoint.every_minutes
    by_steps = math.inf if every_steps is None else every_steps * timing.step_seconds
    interval = min(by_time, by_steps)
    share, longer = each / (interval + each), each * (1 / _TARGET_SHARE - 1)
    start = f"a checkpoint takes {format_seconds(each)}, and one is written every {format_seconds(interval)}"
    if every_steps is not None and by_steps < by_time:
        steps = math.ceil(longer / timing.step_seconds)
        text = f"{start}: checkpoint.every_steps: {steps} instead of {every_steps}"
        yield Advice("checkpoint.every_steps", steps, share - _TARGET_SHARE, text)
    else:
        minutes = float(f"{longer / 60:.2g}")
        text = f"{start}: checkpoint.every_minutes: {minutes:g} instead of {spec.checkpoint.every_minutes:g}"
        yield Advice("checkpoint.every_minutes", minutes, share - _TARGET_SHARE, text)
