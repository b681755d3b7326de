"""The JSON Schema describes what `load_spec` accepts."""

import json
import re

import pytest
from jsonschema import Draft7Validator

from sslreg.registry import KINDS, installed
from sslreg.spec.json_schema import json_schema
from sslreg.spec.parameters import section_keys
from sslreg.spec.sections import Sections


@pytest.fixture(scope="module")
def schema(acme):
    return json_schema(acme)


def test_every_section_is_described(schema):
    assert set(schema["else"]["properties"]) == {"extends", *section_keys(Sections)}
    assert all("description" in section for section in schema["else"]["properties"].values())
    assert schema["else"]["additionalProperties"] is False


def test_the_parameters_of_a_component_are_those_of_its_constructor(schema):
    crop = schema["definitions"]["augmentation-crop"]

    assert list(crop["properties"]) == ["use", "size", "scale", "ratio", "p"]
    assert crop["required"] == ["size"]
    assert crop["additionalProperties"] is False
    assert crop["properties"]["size"]["description"] == "pixels of the result's sides."
    assert crop["properties"]["scale"]["default"] == [0.08, 1.0]


def test_bounds_and_choices_are_kept(schema):
    def form(component, parameter):
        return schema["definitions"][component]["properties"][parameter]["anyOf"][0]

    assert form("loss-contrast", "temperature") == {"type": "number", "exclusiveMinimum": 0}
    assert form("dataset-photos", "split")["enum"] == ["train", "test"]
    assert form("augmentation-jitter", "p") == {"type": "number", "minimum": 0, "maximum": 1}


def test_baselines_are_backbones_by_name(schema):
    (form, _) = schema["else"]["properties"]["baselines"]["anyOf"]

    assert form == {"type": "object", "additionalProperties": {"$ref": "#/definitions/backbone"}}


def test_lists_of_fixed_length_follow_draft_7(schema):
    (pair, _) = schema["definitions"]["augmentation-crop"]["properties"]["scale"]["anyOf"]

    assert pair["items"] == [{"type": "number"}, {"type": "number"}]
    assert (pair["minItems"], pair["maxItems"]) == (2, 2)
    assert "prefixItems" not in json.dumps(schema)


@pytest.mark.parametrize(
    ("model", "role", "accepted"),
    [
        ("multi_crop", "local", True),
        ("multi_crop", None, True),
        ("multi_crop", "${env:ROLE}", True),
        ("multi_crop", "teacher", False),
        ("pairs", "teacher", True),  # left to `check`
    ],
)
def test_views_have_the_roles_of_the_model(schema, model, role, accepted):
    spec = {
        "extends": "base.yaml",
        "model": {"use": model},
        "views": [{"as": role, "augment": []}],
    }
    assert Draft7Validator(schema).is_valid(spec) == accepted


def test_any_value_may_be_a_reference(schema):
    reference = {"$ref": "#/definitions/reference"}

    assert reference in schema["definitions"]["loss-contrast"]["properties"]["temperature"]["anyOf"]
    assert reference in schema["definitions"]["model-pairs"]["properties"]["backbone"]["anyOf"]
    assert reference not in schema["definitions"]["loss-contrast"]["properties"]["label"].get("anyOf", [])


def test_parameters_from_the_run_are_hidden(schema):
    assert list(schema["definitions"]["memory_bank-fifo"]["properties"]) == ["use", "size"]


def test_a_slot_takes_the_components_of_its_kind(schema):
    loss = schema["definitions"]["loss"]

    assert loss["properties"]["use"]["enum"] == ["contrast", "prototypes", "acme-ssl:twice", "other-ssl:twice"]
    assert loss["allOf"][0] == {
        "if": {"properties": {"use": {"const": "contrast"}}, "required": ["use"]},
        "then": {"$ref": "#/definitions/loss-contrast"},
    }


def test_a_slot_may_take_one_component_or_a_list(schema):
    one = {"$ref": "#/definitions/schedule"}

    assert schema["else"]["properties"]["schedule"]["anyOf"][:3] == [
        one,
        {"type": "array", "items": one},
        {"type": "null"},
    ]


def test_a_component_that_cannot_be_imported_accepts_any_key(schema):
    gone = schema["definitions"]["callback-gone"]

    assert "additionalProperties" not in gone
    assert "cannot be imported" in gone["description"]


def test_a_spec_with_extends_may_omit_anything(schema):
    partial = {name: part for name, part in schema["definitions"].items() if name.endswith("-partial")}

    assert schema["if"] == {"required": ["extends"]}
    assert partial
    assert '"required"' not in re.sub(r'"if": \{.*?\]\}', "", json.dumps([schema["then"], partial]))


def test_every_reference_is_defined():
    schema = json_schema(installed())
    named = set(re.findall(r'"#/definitions/([^"]+)"', json.dumps(schema)))

    assert named <= set(schema["definitions"])
    assert set(KINDS) <= set(schema["definitions"])
