"""A valid spec is loaded as a `Spec` with the written values and the defaults."""

import pickle
from pathlib import Path

import pytest

import sslreg
from sslreg.errors import UserError
from sslreg.registry import installed
from sslreg.spec import CheckpointSpec, ComponentSpec, EngineSpec, load_spec, parse_spec, shipped_specs
from sslreg.spec.shipped_specs import summary_of


@pytest.fixture
def spec(valid, acme):
    return parse_spec(valid, "valid.yaml", catalog=acme)


def test_written_values_are_loaded(spec):
    assert (spec.version, spec.name, spec.data.batch_size) == (1, "acme", 64)
    assert spec.trainer == {"max_epochs": 5}
    assert [view.repeat for view in spec.views] == [2]
    assert spec.data.train.params == {"root": Path("photos")}
    assert spec.optimizer.params == {"lr": 0.06, "momentum": 0.9}


def test_missing_values_have_their_defaults(spec):
    assert (spec.seed, spec.task, spec.embed_view, spec.callbacks, spec.loggers) == (0, None, None, (), ())
    assert (spec.data.reference, spec.data.test, spec.data.channels, spec.data.on_error) == (None, None, 3, "raise")
    assert spec.views[0].place == "auto"
    assert (spec.checkpoint, spec.engine) == (CheckpointSpec(every_minutes=30.0), EngineSpec(on_nan="stop"))
    assert spec.warnings == ()


@pytest.mark.parametrize(
    ("file", "name"), [("dir/my photos.yaml", "my-photos"), ("<spec>", "spec"), ("été.yaml", "été"), ("-.yaml", "run")]
)
def test_the_default_name_is_that_of_the_file(valid, acme, file, name):
    assert parse_spec(valid.replace("name: acme\n", ""), file, catalog=acme).name == name


def test_the_schedule_is_optional(valid, acme):
    assert parse_spec(valid.replace("schedule: {use: steps, step_size: 10}\n", ""), catalog=acme).schedule is None


@pytest.mark.parametrize(
    ("override", "path"),
    [("schedule.gamma=0.5", ("schedule",)), ("schedule=[{use: steps, step_size: 10, gamma: 0.5}]", ("schedule", 0))],
)
def test_one_schedule_needs_no_list(valid, acme, override, path):
    (schedule,) = parse_spec(valid, overrides=[override], catalog=acme).schedule

    assert schedule.params == {"step_size": 10, "gamma": 0.5}
    assert schedule.path == path


def test_an_item_of_a_list_of_schedules_can_be_overridden(valid, acme):
    overrides = ["schedule=[{use: steps, step_size: 10}]", "schedule.0.step_size=3"]
    (schedule,) = parse_spec(valid, overrides=overrides, catalog=acme).schedule

    assert schedule.params == {"step_size": 3}


def test_lists_are_converted_to_the_annotated_type(spec):
    assert spec.views[0].augment[0].params == {"size": 32, "scale": (0.2, 1.0)}


def test_an_integer_is_accepted_as_a_float(valid, acme):
    assert parse_spec(valid, overrides=["loss.temperature=1"], catalog=acme).loss.params["temperature"] == 1.0


def test_keys_of_the_kind_are_separate_from_parameters(spec):
    crop, jitter = spec.views[0].augment

    assert (crop.keys, jitter.keys) == ({"p": 1.0}, {"p": 0.8})
    assert jitter.params == {"brightness": 0.4}
    assert spec.evaluate[0].params == {"k": 20}
    assert spec.evaluate[0].keys == {"every": 5, "as": None}


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ("{knn_top1: 0.8}", "their source"),
        ("{source: me}", "at least one metric"),
        ("{knn_top1: high, source: me}", "knn_top1 is not a number"),
        ("[0.8]", "expect"),
    ],
)
def test_expected_metrics_need_numbers_and_their_source(valid, acme, expect, message):
    with pytest.raises(UserError, match=message):
        parse_spec(valid, overrides=[f"expect={expect}"], catalog=acme)


def test_expected_metrics_are_kept(valid, acme):
    spec = parse_spec(valid, overrides=["expect={knn_top1: 0.8, source: me}"], catalog=acme)

    assert spec.expect == {"knn_top1": 0.8, "source": "me"}
    assert parse_spec(spec.to_yaml(), catalog=acme).expect == spec.expect


def test_nested_components_have_their_path(spec):
    backbone = spec.model.params["backbone"]

    assert isinstance(backbone, ComponentSpec)
    assert (backbone.kind, backbone.use, backbone.path) == ("backbone", "tiny", ("model", "backbone"))
    assert backbone.info.distribution == "acme-ssl"


def test_nested_components_are_in_lists(valid, acme):
    container = "views.0.augment.1={use: one_of, augment: [{use: jitter}, {use: crop, size: 8}]}"
    spec = parse_spec(valid, overrides=[container], catalog=acme)

    inner = spec.views[0].augment[1].params["augment"]
    assert [(component.use, component.path[-2:]) for component in inner] == [
        ("jitter", ("augment", 0)),
        ("crop", ("augment", 1)),
    ]
    assert type(inner) is list


def test_null_is_accepted_for_optional_components(valid, acme):
    spec = parse_spec(valid, overrides=["schedule=null", "task=", "embed_view=", "loss.memory_bank=null"], catalog=acme)

    assert (spec.schedule, spec.task, spec.embed_view) == (None, None, None)
    assert spec.loss.params["memory_bank"] is None


def test_an_empty_embedding_view_differs_from_none(valid, acme):
    assert parse_spec(valid, overrides=["embed_view=[]"], catalog=acme).embed_view == ()


def test_a_distribution_disambiguates_a_name(valid, acme):
    spec = parse_spec(valid, overrides=["loss.use=other-ssl:twice"], catalog=acme)

    assert spec.loss.info.distribution == "other-ssl"


def test_nested_components_are_listed(spec):
    assert [component.use for component in spec.components()] == [
        "photos", "crop", "jitter", "pairs", "tiny", "contrast", "sgd", "steps", "knn",
    ]  # fmt: skip


def test_a_dumped_spec_loads_as_the_same_spec(spec, acme):
    again = parse_spec(spec.to_yaml(), "valid.yaml", catalog=acme)

    assert again.to_dict() == spec.to_dict()
    assert again.views == spec.views
    assert again.model == spec.model


def test_a_spec_keeps_its_text_and_its_file(spec, valid):
    assert (spec.source, spec.file) == (valid, "valid.yaml")


def test_a_spec_keeps_all_its_sources(valid, acme, tmp_path):
    (tmp_path / "base.yaml").write_text(valid)
    (tmp_path / "spec.yaml").write_text("extends: base.yaml\n")

    spec = load_spec(tmp_path / "spec.yaml", ["seed=1", "name=b"], acme)

    assert [Path(file).name for file in spec.sources] == ["spec.yaml", "base.yaml", "--set"]
    assert spec.sources["--set"] == "seed=1\nname=b\n"


def test_the_error_of_a_spec_can_be_pickled(valid, acme):
    with pytest.raises(UserError) as caught:
        parse_spec(valid, overrides=["seed=x"], catalog=acme)

    copied = pickle.loads(pickle.dumps(caught.value))

    assert (copied.diagnostics, copied.sources) == (caught.value.diagnostics, caught.value.sources)


def test_a_spec_can_be_pickled(spec):
    assert pickle.loads(pickle.dumps(spec)).to_dict() == spec.to_dict()


@pytest.mark.parametrize(
    ("at", "place"),
    [
        (("loss",), (12, 7)),
        (("loss", "temperature"), (12, 36)),
        (("loss", "missing"), (12, 7)),
        (("views", 0, "augment", 1, "p"), (10, 26)),
        (("views", 7), (7, 3)),
        (("callbacks", 0), (1, 1)),
    ],
)
def test_an_error_has_the_nearest_known_location(spec, at, place):
    error = spec.error(at, "odd", "an odd value", "mend it")
    (found,) = error.diagnostics

    assert (found.file, found.line, found.column) == ("valid.yaml", *place)
    assert (found.code, found.message, found.hint, found.severity) == ("odd", "an odd value", "mend it", "error")
    assert error.sources == spec.sources


@pytest.mark.parametrize(
    ("name", "hint"),
    [("simclrr.yaml", "'simclr.yaml'"), ("digits-smclr", "'digits-simclr'"), ("no/x.yaml", "no folder 'no'")],
)
def test_a_missing_file_suggests_existing_ones(tmp_path, monkeypatch, name, hint):
    monkeypatch.chdir(tmp_path)
    Path("simclr.yaml").write_text("version: 1\n")

    with pytest.raises(UserError, match=f"there is no spec '{name}'") as raised:
        load_spec(name)

    assert hint in raised.value.diagnostics[0].hint


def test_the_public_function_takes_overrides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert sslreg.load_spec("digits-simclr", ["seed=3"]).seed == 3


@pytest.mark.parametrize("name", shipped_specs())
def test_every_shipped_spec_is_valid(name):
    spec = load_spec(name, catalog=installed())

    assert spec.name == name
    assert spec.warnings == ()
    assert summary_of(shipped_specs()[name])
