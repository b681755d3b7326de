"""The aspects of an augmentation in a spec: which of them are written, and how to change them."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sslreg

Shape = tuple[int, int, int]

#: An operation as a spec has it: ``use``, the arguments of its constructor, and ``p``.
Entry = dict[str, Any]

#: The share of images that a new operation without randomness changes. With 1, all views would have it, and a model
#: would learn nothing from it.
SHARE = 0.5


@dataclass(frozen=True)
class AugmentationAspects:
    """A registered augmentation, as a search changes it.

    Attributes:
        info: The augmentation.
        use: Its name in a spec.
    """

    info: sslreg.ComponentInfo
    use: str

    @cached_property
    def _target(self) -> Any:
        return self.info.load()

    @property
    def has_strength(self) -> bool:
        """Whether its effect can be scaled."""
        return isinstance(self._target, sslreg.SupportsStrength)

    @property
    def changes_shapes(self) -> bool:
        """Whether it may change the shapes of images."""
        base = sslreg.Augmentation.output_shapes
        return bool(getattr(self._target, "output_shapes", base) is not base)

    def aspects(self, shape: Shape) -> list[str]:
        """Return the names of the aspects of images that it changes, ``""`` if it is changed as a whole.

        Args:
            shape: C, H, W of the images.
        """
        aspects = list(self._target.aspects(shape)) if isinstance(self._target, sslreg.SupportsAspects) else [""]
        return aspects if self.has_strength else [""][: len(aspects)]

    def find_effective(self, params: Mapping[str, Any], shape: Shape) -> list[str]:
        """Return the aspects on which it has an effect with the arguments `params`."""
        aspects = self.aspects(shape)
        if aspects == [""]:
            return aspects
        neutral = self._without_effect(params, aspects, shape)
        effective = []
        for aspect in aspects:
            alone = self._without_effect(params, [other for other in aspects if other != aspect], shape)
            if not _are_equal(self._build(neutral), self._build(alone)):
                effective.append(aspect)
        return effective

    def change(self, entry: Entry, off: Collection[str], strengths: Mapping[str, float], shape: Shape) -> Entry:
        """Return an entry of a spec without some aspects, and with others at a strength. The others stay as written.

        Args:
            entry: The entry.
            off: The aspects that have no effect.
            strengths: The strengths of the aspects that are scaled.
            shape: C, H, W of the images.
        """
        changed = self._without_effect(entry, off, shape)
        if strengths:
            arguments = self._arguments(strengths, shape)
            changed |= {key: value for key, value in arguments.items() if key in self._keys(strengths, shape)}
        return changed

    def create(self, strengths: Mapping[str, float], shape: Shape) -> Entry:
        """Return a new entry, with some aspects at a strength, or with the defaults if it has no strength."""
        arguments = self._arguments(strengths, shape) if self.has_strength else {}
        augmentation = self._build(arguments)
        # This is what a deterministic augmentation returns.
        is_deterministic = any(one is augmentation for one in augmentation.for_embedding())
        return {"use": self.use, **({"p": SHARE} if is_deterministic else {}), **arguments}

    def _build(self, arguments: Mapping[str, Any]) -> sslreg.Augmentation:
        name = f"{self.info.distribution}:{self.info.name}"
        augmentation: sslreg.Augmentation = sslreg.build("augmentation", name, **arguments)
        return augmentation

    def _arguments(self, strengths: Mapping[str, float], shape: Shape) -> dict[str, Any]:
        """Return arguments of the constructor, rounded as one would write them."""
        return {key: _round(value) for key, value in self._target.at_strength(strengths, shape).items()}

    def _keys(self, aspects: Collection[str], shape: Shape) -> set[str]:
        """Return the arguments that belong to aspects."""
        if list(aspects) == [""]:
            arguments, weaker = self._arguments({"": 1.0}, shape), self._arguments({"": 0.5}, shape)
            # The size of a crop is not a part of its effect. Of other operations, all arguments define the strength,
            # such as the smoothness of an elastic displacement.
            return {key for key in arguments if not self.changes_shapes or arguments[key] != weaker[key]}
        neutral = self._arguments({}, shape)
        return {
            key
            for aspect in aspects
            for key, value in self._arguments({aspect: 1.0}, shape).items()
            if key not in neutral or value != neutral[key]
        }

    def _without_effect(self, arguments: Mapping[str, Any], aspects: Collection[str], shape: Shape) -> dict[str, Any]:
        """Return arguments with which some of several aspects have no effect."""
        if not aspects:
            return dict(arguments)
        neutral, keys = self._arguments({}, shape), self._keys(aspects, shape)
        others = {key: value for key, value in arguments.items() if key not in keys or key in neutral}
        return others | {key: value for key, value in neutral.items() if key in keys}


def _round(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_round(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _are_equal(first: sslreg.Augmentation, second: sslreg.Augmentation) -> bool:
    """Return whether two augmentations, which hold only their parameters, do the same."""
    one, other = vars(first), vars(second)
    return one.keys() == other.keys() and all(_is_same_value(value, other[name]) for name, value in one.items())


def _is_same_value(first: Any, second: Any) -> bool:
    try:
        return bool(first == second)
    except (RuntimeError, ValueError):  # tensors and arrays of several values
        return pickle.dumps(first) == pickle.dumps(second)
