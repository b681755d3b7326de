"""Registering components and finding them by name."""

from __future__ import annotations

import pytest

from sslreg import UserError
from sslreg.registry import Catalog, PluginReport, RegistrationError, Registry


def plugin(distribution: str, *components: tuple[str, str], status: str = "loaded", error: str | None = None):
    registry = Registry("entry", distribution, "1.0")
    for kind, name in components:
        registry.register(kind, name, "math:sqrt")
    return PluginReport("entry", distribution, "1.0", status, error, components=tuple(registry.components))


def test_a_component_has_its_origin() -> None:
    registry = Registry("blurs", "acme-ssl", "2.1")
    registry.augmentation("acme_blur", "acme.blur:Blur", summary="a blur", invariances=("texture",))
    (info,) = registry.components
    assert (info.kind, info.name, info.summary, info.invariances) == (
        "augmentation",
        "acme_blur",
        "a blur",
        ("texture",),
    )
    assert (info.plugin, info.distribution, info.version) == ("blurs", "acme-ssl", "2.1")


@pytest.mark.parametrize(
    ("kind", "name", "target", "extra", "message"),
    [
        ("los", "a", "m:a", {}, "there is no kind of component 'los'.*'loss'"),
        ("loss", "two words", "m:a", {}, "letters, digits and underscores"),
        ("loss", "a", "module.only", {}, "'module.only' is not of the form 'module:attribute'"),
        ("augmentation", "a", "m:a", {"invariances": ("smell",)}, "shape, texture, color, not smell"),
    ],
)
def test_invalid_registrations_are_refused(kind: str, name: str, target: str, extra: dict, message: str) -> None:
    with pytest.raises(RegistrationError, match=message):
        Registry().register(kind, name, target, **extra)


def test_registering_a_name_twice_is_refused() -> None:
    registry = Registry()
    registry.loss("a", "m:a")
    with pytest.raises(RegistrationError, match="loss 'a' is registered twice"):
        registry.loss("a", "m:b")


def test_an_unknown_kind_has_no_method() -> None:
    with pytest.raises(AttributeError, match="'losses'"):
        Registry().losses("a", "m:a")


def test_an_unknown_name_suggests_similar_ones() -> None:
    catalog = Catalog([plugin("acme", ("loss", "nt_xent"), ("loss", "dcl"))])
    with pytest.raises(UserError, match=r"no plugin provides the loss 'nt_xnet'(?s:.*)did you mean 'nt_xent'"):
        catalog.get("loss", "nt_xnet")


def test_a_name_of_another_kind_is_recognized() -> None:
    catalog = Catalog([plugin("acme", ("memory_bank", "fifo"))])
    with pytest.raises(UserError, match="'fifo' is a memory bank; name an evaluator here"):
        catalog.get("evaluator", "fifo")


def test_a_failed_plugin_is_named_as_a_possible_source() -> None:
    broken = plugin("acme", status="failed", error="ImportError: no module named 'left_pad'")
    with pytest.raises(UserError, match=r"acme 1\.0.*failed to load: ImportError: no module named 'left_pad'"):
        Catalog([broken]).get("loss", "acme_loss")


def test_an_ambiguous_name_is_refused() -> None:
    catalog = Catalog([plugin("acme", ("loss", "nt_xent")), plugin("other", ("loss", "nt_xent"))])
    with pytest.raises(UserError, match=r"by acme and by other(?s:.*)'acme:nt_xent' or 'other:nt_xent'"):
        catalog.get("loss", "nt_xent")
    assert catalog.get("loss", "other:nt_xent").distribution == "other"


def test_a_wrong_distribution_is_answered_with_the_right_one() -> None:
    with pytest.raises(UserError, match="it is provided by acme"):
        Catalog([plugin("acme", ("loss", "a"))]).get("loss", "other:a")


def test_a_target_that_cannot_be_imported_names_its_distribution() -> None:
    registry = Registry("entry", "acme", "1.0")
    registry.loss("a", "math:no_such_function")
    with pytest.raises(UserError, match="loss 'a' of acme cannot be imported from 'math:no_such_function'"):
        registry.components[0].load()


def test_a_deprecated_name_warns_with_its_replacement() -> None:
    registry = Registry("entry", "acme", "1.4")
    registry.loss("old", "math:sqrt", removed_in="2.0", replacement="new")
    registry.loss("new", "math:sqrt")
    catalog = Catalog([PluginReport("entry", "acme", "1.4", "loaded", components=tuple(registry.components))])
    with pytest.warns(FutureWarning, match=r"loss 'old' of acme will be removed in version 2\.0; use 'new'"):
        catalog.get("loss", "old")
    assert catalog.get("loss", "new").deprecation is None


def test_a_target_that_exits_is_a_broken_component(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "module_that_exits.py").write_text("raise SystemExit('bye')")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry("entry", "acme", "1.0")
    registry.loss("a", "module_that_exits:A")
    with pytest.raises(UserError, match="SystemExit: bye"):
        registry.components[0].load()
