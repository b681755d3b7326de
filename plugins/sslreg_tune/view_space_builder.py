"""Reads the operations of a search from the views of a spec and from the installed plugins."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import sslreg
from sslreg_tune.augmentation_aspects import AugmentationAspects, Entry, Shape
from sslreg_tune.parameters import Level, Operation
from sslreg_tune.view_space import ViewSpace, WrittenEntry, WrittenView, format_views, parameter_name

T = TypeVar("T")

log = logging.getLogger("sslreg.tune")

#: The order in which new operations are inserted.
_INVARIANCES = ("shape", "texture", "color")


def build_view_space(spec: sslreg.Spec, overrides: Sequence[str] = ()) -> ViewSpace:
    """Return the operations of a spec's views, and of the installed plugins as far as they fit the images.

    If the size of views depends on the images, the first training image is read.

    Args:
        spec: The starting spec.
        overrides: The arguments of ``--set`` with which it was loaded.

    Raises:
        UserError: The views of the spec cannot be made, or the training set cannot be read.
    """
    return _ViewSpaceBuilder(spec, overrides).build()


class _ViewSpaceBuilder:
    """Reads the views of a spec.

    Args:
        spec: The starting spec.
        overrides: The arguments of ``--set`` with which it was loaded.
    """

    def __init__(self, spec: sslreg.Spec, overrides: Sequence[str]) -> None:
        self._spec = spec
        self._overrides = list(overrides)
        self._views: list[dict[str, Any]] = spec.to_dict()["views"]
        self._stand_ins = sslreg.find_view_shapes(spec)
        self._shapes = self._find_shapes()
        self._invariances: dict[str, set[str]] = {}
        self._augmentations = {one.info: one for one in _list_augmentations() if self._is_usable(one)}

    def build(self) -> ViewSpace:
        views = tuple(map(self._read_view, range(len(self._views))))
        written = {entry.augmentation: None for view in views for entry in view.entries if entry.augmentation}
        added = [one for one in self._augmentations.values() if one not in written and self._is_creatable(one)]
        operations = []
        names_in_spec = {entry.name: entry.entry["use"] for view in views for entry in view.entries if entry.name}
        for augmentation in sorted((*written, *added), key=_position):
            found = self._list_operations(augmentation, views)
            operations += found
            names_in_spec |= {operation.name: augmentation.use for operation in found}
        containers = [
            Operation(name, frozenset(invariances), ("off", "as written"), "as written")
            for name, invariances in self._invariances.items()
        ]
        return ViewSpace(views, (*operations, *containers), tuple(sorted(added, key=_position)), names_in_spec)

    def _find_shapes(self) -> list[Shape]:
        views = self._stand_ins
        if not all(view.is_fixed for view in views):
            spec = self._spec
            sample = sslreg.build_datasets(spec)["train"][0]
            image = sslreg.load_image(sample.image, spec.data.channels, sslreg.build_readers(spec))
            height, width = image.shape[1:]
            views = sslreg.find_view_shapes(spec, [(height, width)])
        return [view.shape for view in views]

    def _first_views(self) -> list[int]:
        """Return the number of the first view of each kind in a batch."""
        repeats = [view.repeat for view in self._spec.views]
        return [sum(repeats[:number]) for number in range(len(repeats))]

    def _is_usable(self, augmentation: AugmentationAspects) -> bool:
        """Return whether the images have aspects that an augmentation changes; warn if it fails."""

        def try_aspects() -> list[str]:
            found = [(aspect, shape) for shape in self._shapes for aspect in augmentation.aspects(shape)]
            for aspect, shape in found if augmentation.has_strength else ():
                augmentation.change({}, [], {aspect: 1.0}, shape)
            return [aspect for aspect, _ in found]

        return bool(self._attempt(augmentation, try_aspects))

    def _is_creatable(self, augmentation: AugmentationAspects) -> bool:
        """Return whether a new entry can be made of an augmentation for all views."""

        def create() -> list[Entry]:
            return [
                augmentation.create({aspect: strength}, shape)
                for shape in self._shapes
                for aspect in augmentation.aspects(shape)
                for strength in (0.05, 1.0)
            ]

        return bool(self._attempt(augmentation, create))

    def _attempt(self, augmentation: AugmentationAspects, part: Callable[[], list[T]]) -> list[T]:
        try:
            return part()
        except Exception as error:  # noqa: BLE001 - an augmentation of any package may raise anything
            log.warning("the search leaves out %s: %s", augmentation.info, error)
            return []

    def _read_view(self, number: int) -> WrittenView:
        plan = sslreg.build_collate(self._spec).views[self._first_views()[number]]
        counts: Counter[str] = Counter()
        entries = [
            self._read_entry(number, position, component, counts)
            for position, component in enumerate(self._spec.views[number].augment)
        ]
        return WrittenView(self._views[number], self._shapes[number], tuple(entries), plan.leading)

    def _read_entry(
        self, number: int, position: int, component: sslreg.ComponentSpec, counts: Counter[str]
    ) -> WrittenEntry:
        plain = WrittenEntry(self._views[number]["augment"][position])
        if component.keys["p"] == 0:
            return plain
        if nested := {name for one in _find_nested(component) for name in one.info.invariances}:
            counts[component.use] += 1
            name = component.use if counts[component.use] == 1 else f"{component.use}_{counts[component.use]}"
            self._invariances.setdefault(name, set()).update(nested)
            return replace(plain, name=name, replacement=self._find_replacement(number, position))
        augmentation = self._augmentations.get(component.info)
        if augmentation is None:
            return plain
        params, shape = component.params, self._shapes[number]
        effective = self._attempt(augmentation, lambda: augmentation.find_effective(params, shape))
        if not effective:
            return plain
        return replace(
            plain,
            augmentation=augmentation,
            effective=tuple(effective),
            replacement=self._find_replacement(number, position) if augmentation.changes_shapes else (),
        )

    def _find_replacement(self, number: int, position: int) -> tuple[Entry, ...]:
        """Return what brings views to their size instead of an operation; nothing if they have it without."""
        entries = self._views[number]["augment"]
        without = self._find_stand_in(number, [*entries[:position], *entries[position + 1 :]])
        written = self._stand_ins[number]
        if without is not None and (without.shape, without.is_fixed) == (written.shape, written.is_fixed):
            return ()
        result = self._find_stand_in(number, entries[: position + 1]) or written
        height, width = result.shape[1:]
        if height != width:
            return ({"use": "resize", "size": [height, width]},)
        return ({"use": "resize", "size": height}, {"use": "center_crop", "size": height})

    def _find_stand_in(self, number: int, entries: Sequence[Entry]) -> sslreg.ViewShape | None:
        """Return the shape of a view with other operations; None if they cannot be applied."""
        views = [*self._views]
        views[number] = {**views[number], "augment": list(entries)}
        try:
            spec = sslreg.load_spec(self._spec.file, [*self._overrides, format_views(views)])
            return sslreg.find_view_shapes(spec)[number]
        except sslreg.UserError:
            return None

    def _list_operations(self, augmentation: AugmentationAspects, views: Sequence[WrittenView]) -> list[Operation]:
        aspects = dict.fromkeys(aspect for shape in self._shapes for aspect in augmentation.aspects(shape))
        entries = [entry for view in views for entry in view.entries if entry.augmentation == augmentation]
        operations = []
        for aspect in aspects:
            starts: Level = "as written" if any(aspect in entry.effective for entry in entries) else "off"
            written: tuple[Level, ...] = ("as written",) if starts != "off" or not augmentation.has_strength else ()
            scaled: tuple[Level, ...] = ("scaled",) if augmentation.has_strength else ()
            name = parameter_name(augmentation, aspect)
            operations.append(
                Operation(name, frozenset(augmentation.info.invariances), ("off", *written, *scaled), starts)
            )
        return operations


def _list_augmentations() -> list[AugmentationAspects]:
    """Return the installed augmentations with an invariance, by the names that a spec can use."""
    infos = sslreg.installed().of_kind("augmentation")
    counts = Counter(info.name for info in infos)
    return [
        AugmentationAspects(info, info.name if counts[info.name] == 1 else f"{info.distribution}:{info.name}")
        for info in infos
        if info.invariances
    ]


def _position(augmentation: AugmentationAspects) -> int:
    return min(_INVARIANCES.index(invariance) for invariance in augmentation.info.invariances)


def _find_nested(component: sslreg.ComponentSpec) -> list[sslreg.ComponentSpec]:
    """Return the augmentations that a component contains, nested ones included."""
    found = []
    for value in component.params.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, sslreg.ComponentSpec) and item.kind == "augmentation":
                found += [item, *_find_nested(item)]
    return found
