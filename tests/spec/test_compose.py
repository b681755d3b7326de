"""A spec is merged over its bases, then overrides are applied and references resolved."""

import pytest

from sslreg.errors import UserError
from sslreg.spec import load_spec, parse_spec
from sslreg.spec.diagnostics import DiagnosticCollector
from sslreg.spec.load import compose
from sslreg.spec.tree import Location, find_nearest, to_python


def composed(text, overrides=(), file="spec.yaml", environ=None):
    diagnostics = DiagnosticCollector()
    tree = compose(text, file, overrides, diagnostics, environ or {})
    diagnostics.raise_errors()
    return tree


def data(text, overrides=(), **more):
    return to_python(composed(text, overrides, **more))


class TestExtends:
    @pytest.fixture
    def write_files(self, tmp_path):
        """Writes files and returns the path of a spec in the same folder."""

        def write(**files):
            for name, text in files.items():
                (tmp_path / f"{name}.yaml").write_text(text)
            return str(tmp_path / "spec.yaml")

        return write

    def test_mappings_are_merged_and_lists_are_replaced(self, write_files):
        file = write_files(base="a: {x: 1, y: {z: 2}}\nb: [1, 2, 3]\nc: kept\n")

        found = data("extends: base.yaml\na: {y: {w: 3}}\nb: [4]\n", file=file)

        assert found == {"a": {"x": 1, "y": {"z": 2, "w": 3}}, "b": [4], "c": "kept"}

    def test_null_replaces_a_mapping(self, write_files):
        assert data("extends: base.yaml\na: null\n", file=write_files(base="a: {x: 1}\n")) == {"a": None}

    def test_later_bases_override_earlier_ones(self, write_files):
        file = write_files(one="a: 1\nb: 1\nc: 1\n", two="b: 2\nc: 2\n")

        assert data("extends: [one.yaml, two.yaml]\nc: 3\n", file=file) == {"a": 1, "b": 2, "c": 3}

    def test_a_base_is_relative_to_the_file_that_names_it(self, write_files, tmp_path):
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub/middle.yaml").write_text("extends: deep.yaml\nb: 2\n")
        (tmp_path / "sub/deep.yaml").write_text("a: 1\n")

        assert data("extends: sub/middle.yaml\n", file=write_files()) == {"a": 1, "b": 2}

    def test_a_base_may_be_extended_twice(self, write_files):
        file = write_files(base="a: 1\n", left="extends: base.yaml\nb: 1\n", right="extends: base.yaml\nc: 1\n")

        assert data("extends: [left.yaml, right.yaml]\n", file=file) == {"a": 1, "b": 1, "c": 1}

    def test_a_shipped_spec_can_be_extended_by_name(self, write_files):
        found = data("extends: digits-simclr\nseed: 7\n", file=write_files())

        assert found["seed"] == 7
        assert found["loss"]["use"] == "nt_xent"

    def test_expected_metrics_are_not_inherited(self, write_files):
        file = write_files(base="a: 1\nexpect: {knn_top1: 0.8, source: me}\n")

        assert data("extends: base.yaml\n", file=file) == {"a": 1}
        assert data("extends: base.yaml\nexpect: {x: 1}\n", file=file) == {"a": 1, "expect": {"x": 1}}

    def test_a_name_too_long_for_a_file_is_reported_as_missing(self, write_files):
        with pytest.raises(UserError, match="there is no spec"):
            composed(f"extends: {'a' * 5000}\n", file=write_files())

    def test_a_value_keeps_its_location_in_the_base(self, write_files, tmp_path):
        tree = composed("extends: base.yaml\na: {y: 2}\n", file=write_files(base="# base\na: {x: 1}\n"))

        assert find_nearest(tree, ("a", "x")).location == Location(str(tmp_path / "base.yaml"), 2, 8)
        assert find_nearest(tree, ("a", "y")).location == Location(str(tmp_path / "spec.yaml"), 2, 8)


class TestReplacedComponent:
    """Keys that were written for a replaced component are kept if the new one has them, and ignored otherwise."""

    def test_keys_of_both_components_are_kept(self, valid, acme):
        spec = parse_spec(valid, overrides=["optimizer.use=adamw"], catalog=acme)

        assert spec.optimizer.params == {"lr": 0.06}
        assert "momentum" not in spec.to_dict()["optimizer"]

    def test_ignored_keys_are_reported(self, valid, acme):
        (warning,) = parse_spec(valid, overrides=["optimizer.use=adamw"], catalog=acme).warnings

        assert (warning.code, warning.line, warning.column) == ("inherited-key", 13, 33)
        assert "written for 'sgd'" in warning.message

    def test_keys_from_a_base_are_ignored_alike(self, valid, acme, tmp_path):
        (tmp_path / "base.yaml").write_text(valid)
        (tmp_path / "spec.yaml").write_text("extends: base.yaml\noptimizer: {use: adamw, weight_decay: 0.1}\n")

        spec = load_spec(tmp_path / "spec.yaml", catalog=acme)

        assert spec.optimizer.params == {"lr": 0.06, "weight_decay": 0.1}
        assert [warning.code for warning in spec.warnings] == ["inherited-key"]

    def test_keys_written_for_the_new_component_are_checked(self, valid, acme):
        with pytest.raises(UserError, match="has no key 'nesterov'"):
            parse_spec(valid, overrides=["optimizer.use=adamw", "optimizer.nesterov=true"], catalog=acme)


class TestOverrides:
    @pytest.mark.parametrize(
        ("override", "expected"),
        [
            ("a=2", {"a": 2, "b": [{"c": 1}, 2]}),
            ("b.0.c=x", {"a": 1, "b": [{"c": "x"}, 2]}),
            ("b.1={d: [1e-3]}", {"a": 1, "b": [{"c": 1}, {"d": [0.001]}]}),
            ("b=[]", {"a": 1, "b": []}),
            ("new.deep.key=no", {"a": 1, "b": [{"c": 1}, 2], "new": {"deep": {"key": "no"}}}),
            ("a=", {"a": None, "b": [{"c": 1}, 2]}),
            ("a=x=y", {"a": "x=y", "b": [{"c": 1}, 2]}),
            ("a='1'", {"a": "1", "b": [{"c": 1}, 2]}),
        ],
    )
    def test_an_override_sets_a_value(self, override, expected):
        assert data("a: 1\nb: [{c: 1}, 2]\n", [override]) == expected

    def test_an_override_replaces_a_mapping(self):
        assert data("a: {x: 1}\n", ["a={y: 2}"]) == {"a": {"y": 2}}

    def test_an_override_can_add_keys_to_null(self):
        assert data("a:\n", ["a.b=1"]) == {"a": {"b": 1}}

    def test_later_overrides_see_earlier_ones(self):
        assert data("a: 1\n", ["b=[1, 2]", "b.1=3"]) == {"a": 1, "b": [1, 3]}

    def test_a_value_has_its_argument_as_location(self):
        tree = composed("a: 1\n", ["b=1", "c.d=2"])

        assert find_nearest(tree, ("c", "d")).location == Location("--set", 2, 5)
        assert tree.key_locations["c"] == Location("--set", 2, 1)

    def test_an_argument_may_have_several_lines(self):
        tree = composed("a: 1\n", ["b=[1,\r\n 2,\r 3]", "c=2"])

        assert find_nearest(tree, ("b", 2)).location == Location("--set", 3, 2)
        assert find_nearest(tree, ("c",)).location == Location("--set", 4, 3)


class TestReferences:
    def test_a_reference_is_replaced_by_its_target(self):
        found = data("a: {b: [1, {c: x}]}\nd: ${a.b.1.c}\ne: ${a.b}\n")

        assert found == {"a": {"b": [1, {"c": "x"}]}, "d": "x", "e": [1, {"c": "x"}]}

    def test_references_may_point_to_references(self):
        assert data("a: ${b}\nb: ${c.d}\nc: ${e}\ne: {d: 1}\n") == {"a": 1, "b": 1, "c": {"d": 1}, "e": {"d": 1}}

    def test_references_see_overrides(self):
        assert data("a: 1\nb: ${a}\n", ["a=2", "c=${b}"]) == {"a": 2, "b": 2, "c": 2}

    def test_environment_variables_are_parsed_as_yaml(self):
        found = data("a: ${env:N}\nb: ${env:S}\n", environ={"N": "4", "S": "no"})

        assert found == {"a": 4, "b": "no"}

    def test_environment_variables_contain_no_references(self):
        assert data("a: ${env:X}\nb: 1\n", environ={"X": "${b}"}) == {"a": "${b}", "b": 1}

    def test_an_environment_variable_counts_as_text_too(self, valid, acme, monkeypatch):
        monkeypatch.setenv("ACME_LABEL", "007")

        spec = parse_spec(valid, overrides=["loss.label=${env:ACME_LABEL}", "seed=${env:ACME_LABEL}"], catalog=acme)

        assert spec.loss.params["label"] == "007"
        assert spec.seed == 7

    def test_secrets_are_neither_saved_nor_printed(self, valid, acme, monkeypatch):
        monkeypatch.setenv("ACME_TOKEN", "hunter2")
        secret = ["loss.label=${env:ACME_TOKEN}", "name=${loss.label}"]

        spec = parse_spec(valid, overrides=secret, catalog=acme)
        with pytest.raises(UserError) as raised:
            parse_spec(valid, overrides=[*secret, "seed=${name}", "loss.use=${name}"], catalog=acme)

        assert spec.loss.params["label"] == "hunter2"
        assert spec.to_dict()["loss"]["label"] == spec.to_dict()["name"] == "${env:ACME_TOKEN}"
        assert "hunter2" not in spec.to_yaml() + str(raised.value)
        assert "${env:ACME_TOKEN}" in str(raised.value)


def chain(length, link):
    """A spec of many values, each of which refers to the next."""
    return "".join(link.format(here=number, there=number + 1) for number in range(length)) + f"a{length}: 1\n"


@pytest.mark.parametrize(
    ("text", "overrides"),
    [
        (chain(500, "a{here}: ${{a{there}}}\n"), []),
        (chain(500, "a{here}:\n  x: ${{a{there}}}\n"), []),
        ("a0: &a0 [1]\n" + "".join(f"a{n + 1}: &a{n + 1} [[[[[[*a{n}]]]]]]\n" for n in range(300)), []),
        ("a: 1\n", ["b" + ".b" * 2000 + "=1"]),
        ("a: 1\n", ["a=" + "[" * 2000 + "]" * 2000]),
    ],
    ids=["references", "references in maps", "aliases", "a path to set", "a value to set"],
)
def test_the_depth_of_a_spec_is_limited(text, overrides):
    with pytest.raises(UserError) as raised:
        composed(text, overrides)

    assert {found.code for found in raised.value.diagnostics} <= {"too-deep", "override"}


@pytest.mark.parametrize("step", ["1" * 5000, "٣", "²", "-1", "1e0"])
def test_only_a_short_number_is_an_index(step):
    with pytest.raises(UserError, match="is a list and has no item"):
        composed("a: [1, 2]\n", [f"a.{step}=1"])
    with pytest.raises(UserError, match="does not exist"):
        composed(f"a: [1, 2]\nb: '${{a.{step}}}'\n")
