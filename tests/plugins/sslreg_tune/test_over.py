"""--over: ranges and choices, and every mistake in them."""

from __future__ import annotations

import pytest

import sslreg
from sslreg_tune.over import parse_all_over, parse_over
from sslreg_tune.parameters import Choice, Range

SPEC = sslreg.load_spec("digits-simclr")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("loss.temperature=0.05..1:log", Range("loss.temperature", 0.05, 1.0, log=True)),
        ("optimizer.lr=1e-4..1e-2:log", Range("optimizer.lr", 1e-4, 1e-2, log=True)),
        ("a.b=-3..-1", Range("a.b", -3, -1)),
        ("a.b=.1...5", Range("a.b", 0.1, 0.5)),
        ("model.backbone.width=16,32", Choice("model.backbone.width", (16, 32))),
        ("loss.use=nt_xent,vicreg", Choice("loss.use", ("nt_xent", "vicreg"))),
        ("optimizer.lr=1e-3,1e-2", Choice("optimizer.lr", (1e-3, 1e-2))),
        ("a=true,null", Choice("a", (True, None))),
        ("a=[16, 32]", Choice("a", (16, 32))),
        ("a=[256, 128],[64]", Choice("a", ([256, 128], [64]))),
        ("a=[[256, 128], [64]]", Choice("a", ([256, 128], [64]))),
        ("a={use: sgd, lr: 0.1},{use: adamw}", Choice("a", ({"use": "sgd", "lr": 0.1}, {"use": "adamw"}))),
    ],
)
def test_ranges_and_choices_are_parsed(argument: str, expected: Choice | Range) -> None:
    assert parse_over(argument) == expected


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("loss.temperature", "names no values"),
        ("=1,2", "names no path"),
        ("a=", "names no values"),
        ("a=1..0.5", "the range is inverted: 1 is above 0.5"),
        ("a=2..2", "the range is empty"),
        ("a=0..1:log", "the bound 0 has no logarithm"),
        ("a=1..2:linear", "a single option"),
        ("a=1..", "a single option"),
        ("a=0.5", "a single option"),
        ("a=[0.5]", "a single option"),
        ("a=1,2,1", "the option 1 twice"),
        ("a={b: 1, c: 2},{c: 2, b: 1}", "twice"),
        ("a=[1,2", "not YAML values"),
        ("a=1,.nan", "not YAML values"),
    ],
)
def test_mistakes_in_an_argument_are_named(argument: str, message: str) -> None:
    with pytest.raises(sslreg.UserError, match=message) as caught:
        parse_over(argument)
    assert argument in str(caught.value)
    assert caught.value.diagnostics[0].hint


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        (["loss.temprature=0.1,0.2"], ["--over:1:6: loss 'nt_xent' has no key 'temprature'", "mean 'temperature'"]),
        (["engine.ema=0.9,0.99", "lss=1,2"], ["--over:2:1: the spec has no key 'lss'"]),
        (["loss.temperature=-1..1"], ["--over:1:18: temperature is -1; it should be at least"]),
        (["model.backbone.width=16..32.5"], ["width is 32.5; it should be a whole number"]),
        (["model.backbone.width=16.0..32.0"], ["width is", "whole number"]),
        (["loss.use=nt_xent,vicrge"], ["no plugin provides the loss 'vicrge'", "did you mean 'vicreg'"]),
        (["extends=a,b"], ["--over cannot change `extends`"]),
        (["seed=1,2"], ["all trials share the seed"]),
        (["data.test.split=train,test"], ["data.test cannot be searched: trials are comparable only if"]),
        (["data={a: 1},{a: 2}"], ["data.test cannot be searched"]),
        (["data.train.subset=100,200"], ["data.train cannot be searched: evaluators learn from the training set"]),
        (["evaluate.0.k=1,2"], ["the evaluators judge the trials"]),
        (["loss.temperature=0.1,0.2", "loss.temperature=0.1..1"], ["loss.temperature is searched twice"]),
        (["loss.temperature=0.1,0.2", "loss={use: nt_xent},{use: vicreg}"], ["loss.temperature is a part of loss"]),
        (["trainer.max_epochs=2..5"], ["schedule 'cosine' needs 3 epochs, but the training has 2"]),
        (["optimizer.lr=-1..1"], ["with optimizer.lr=-1.0: adamw: Invalid learning rate", "hint: search other values"]),
        (
            ["trainer.max_epochs=5..9", "schedule.warmup_epochs=1..8"],
            ["with trainer.max_epochs=5 and schedule.warmup_epochs=8", "needs 8 epochs"],
        ),
    ],
)
def test_what_the_spec_refuses_is_refused_before_any_run(arguments: list[str], messages: list[str]) -> None:
    with pytest.raises(sslreg.UserError) as caught:
        parse_all_over(arguments, SPEC)
    text = str(caught.value)
    assert all(message in text for message in messages), text
    assert "--set" not in text.partition("hint")[0]


def test_paths_of_views_are_refused_only_if_views_are_searched() -> None:
    argument = "views.0.augment.2.alpha=10..30"
    assert parse_all_over([argument], SPEC) == [Range("views.0.augment.2.alpha", 10.0, 30.0)]
    with pytest.raises(sslreg.UserError, match="--views searches the views already"):
        parse_all_over([argument], SPEC, views=True)


def test_integers_as_bounds_are_real_where_the_spec_takes_fractions() -> None:
    weight_decay, epochs = parse_all_over(["optimizer.weight_decay=0..1", "trainer.max_epochs=5..20"], SPEC)
    assert isinstance(weight_decay, Range)
    assert isinstance(epochs, Range)
    assert (weight_decay.is_integer, epochs.is_integer) == (False, True)


def test_errors_show_the_argument_after_overrides_of_the_user() -> None:
    with pytest.raises(sslreg.UserError) as caught:
        parse_all_over(["loss.temprature=1,2"], SPEC, ["seed=3", "trainer.max_epochs=9"])
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.file, diagnostic.line, diagnostic.column) == ("--over", 1, 6)
    assert caught.value.sources["--over"] == "loss.temprature=1,2"
