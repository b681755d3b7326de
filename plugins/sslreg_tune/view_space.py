"""The operations that views of a search may have, and the views with some of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sslreg_tune.augmentation_aspects import AugmentationAspects, Entry, Shape
from sslreg_tune.parameters import Operation, Values


@dataclass(frozen=True)
class WrittenEntry:
    """An operation of a view in the starting spec.

    Attributes:
        entry: The operation as the spec has it.
        augmentation: The augmentation; None if a search leaves the entry alone, or treats it as a whole.
        effective: The aspects on which it has an effect.
        name: The name of the parameter if the entry contains other operations, and is treated as a whole.
        replacement: The entries that give views their size if this one is left out.
    """

    entry: Entry
    augmentation: AugmentationAspects | None = None
    effective: tuple[str, ...] = ()
    name: str = ""
    replacement: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class WrittenView:
    """A kind of view in the starting spec.

    Attributes:
        view: The view as the spec has it.
        shape: C, H, W of the view.
        entries: Its operations.
        leading: The number of geometry operations at its start. New operations are inserted after them.
    """

    view: Mapping[str, Any]
    shape: Shape
    entries: tuple[WrittenEntry, ...]
    leading: int


@dataclass(frozen=True)
class ViewSpace:
    """The operations of a search over views.

    These are the aspects of each installed augmentation that is registered with an invariance and fits the images.
    Containers, such as `random_apply`, are operations as a whole. All other operations stay as they are.

    Attributes:
        views: The views of the starting spec.
        operations: The operations.
        added: The augmentations that no view has, in the order in which they are inserted.
        names_in_spec: The component of each operation, as a spec names it.
    """

    views: tuple[WrittenView, ...]
    operations: tuple[Operation, ...]
    added: tuple[AugmentationAspects, ...]
    names_in_spec: Mapping[str, str]

    def build_views(self, values: Values) -> list[dict[str, Any]]:
        """Return the views of a spec.

        * An operation that is off disappears from all views. One that gives them their size is replaced by a resize
          and a center crop.
        * A scaled operation gets this strength wherever the starting spec has it. Its other arguments stay, such as
          ``p`` and ``interpolation``.
        * One that the starting spec lacks is inserted into all views after their leading geometry: shape, then texture,
          then color. If the augmentation is written for other aspects, it is not inserted but changed.

        Args:
            values: The level of each operation, and the strengths of those that are scaled.
        """
        return [{**view.view, "augment": self._build_entries(view, values)} for view in self.views]

    def _build_entries(self, view: WrittenView, values: Values) -> list[Entry]:
        entries: list[Entry] = []
        for number, written in enumerate((*view.entries, None)):
            if number == view.leading:
                entries += self._create_entries(view, values)
            if written is not None:
                entries += self._change_entry(written, view.shape, values)
        return entries

    def _create_entries(self, view: WrittenView, values: Values) -> list[Entry]:
        entries = []
        for augmentation in self.added:
            on = [a for a in augmentation.aspects(view.shape) if values[parameter_name(augmentation, a)] != "off"]
            if on:
                entries.append(augmentation.create(_strengths(augmentation, on, values), view.shape))
        return entries

    def _change_entry(self, written: WrittenEntry, shape: Shape, values: Values) -> list[Entry]:
        augmentation = written.augmentation
        if augmentation is None:
            is_off = written.name and values[written.name] == "off"
            return list(written.replacement) if is_off else [written.entry]
        starts = {one.name: one.starts for one in self.operations}
        on, off, scaled = [], [], []
        for aspect in augmentation.aspects(shape):
            name = parameter_name(augmentation, aspect)
            level, is_new = values[name], starts[name] == "off"
            if level == "scaled" and (is_new or aspect in written.effective):
                scaled.append(aspect)
            elif level == "off" and aspect in written.effective:
                off.append(aspect)
            elif aspect in written.effective:
                on.append(aspect)
        if not on and not scaled:
            return list(written.replacement) if off else [written.entry]
        return [augmentation.change(written.entry, off, _strengths(augmentation, scaled, values), shape)]


def parameter_name(augmentation: AugmentationAspects, aspect: str) -> str:
    """Return the name of the operation of an aspect."""
    return f"{augmentation.use}_{aspect}" if aspect else augmentation.use


def _strengths(augmentation: AugmentationAspects, aspects: Sequence[str], values: Values) -> dict[str, float]:
    names = {aspect: parameter_name(augmentation, aspect) for aspect in aspects}
    return {aspect: values[f"{name}.strength"] for aspect, name in names.items() if values[name] == "scaled"}


def format_views(views: Sequence[Mapping[str, Any]]) -> str:
    """Return the argument of ``--set`` that replaces the views of a spec."""
    return f"views={json.dumps(views, ensure_ascii=False)}"
