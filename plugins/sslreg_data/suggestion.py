"""The recipe that suits what is in a data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sslreg_data.survey import Survey

#: The sides of the crops that are suggested, and the smallest median side of images for each.
_SIZES = ((224, 200), (128, 100), (96, 72), (64, 48), (32, 24))

#: The share of images from which on a property counts as that of the data set.
_MOST = 0.5

#: The ratio of the sides of an image from which on it counts as long.
_LONG = 2.0

#: The numbers of bits that devices write into 16.
_BITS = (10, 12, 14)


@dataclass
class Suggestion:
    """A recipe and its changes.

    Attributes:
        recipe: The name of a shipped spec.
        channels: The value of ``data.channels``.
        size: The side of the crops in pixels.
        data: Other keys of ``data``.
        advice: Invariances to consider, and other remarks.
    """

    recipe: str
    channels: int
    size: int
    data: dict[str, Any] = field(default_factory=dict)
    advice: list[str] = field(default_factory=list)


def suggest(survey: Survey) -> Suggestion | None:
    """Return a recipe for a data set; None if no image can be read."""
    if not survey.readable:
        return None
    channels = survey.count("channels").most_common(1)[0][0]
    suggestion = _choose_recipe(survey, channels)
    if high := _find_full_scale(survey):
        suggestion.data["range"] = [0, high]
        suggestion.advice.append(f"No level is above {high}, so data.range makes {high} white; check it.")
    if survey.unreadable:
        suggestion.data["on_error"] = "skip"
        suggestion.advice.append("Images that cannot be read are skipped; without on_error they end the training.")
    suggestion.advice += _advise_on_shape(survey)
    return suggestion


def _choose_recipe(survey: Survey, channels: int) -> Suggestion:
    sides = [min(facts.size) for facts in survey.readable]
    size = next((crop for crop, smallest in _SIZES if np.median(sides) >= smallest), 16)
    if survey.share("is_transparent") >= _MOST:
        advice = "Color: most images are transparent, and color jitter would recolor drawing and background alike."
        return Suggestion("sprites-simclr", 3, size, {"background": "random"}, [advice])
    if channels == 3 and survey.share("is_gray") >= _MOST:
        advice = "Color: most images are gray, stored as color, so one channel is enough."
        return Suggestion("medical-simclr", 1, size, advice=[advice])
    if channels == 1:
        advice = "Color: keep the change of brightness and contrast only if they are no facts about the object."
        return Suggestion("medical-simclr", 1, size, advice=[advice])
    if channels == 3:
        advice = "Color: keep color_jitter and grayscale only if color does not matter for your task."
        return Suggestion("folder-simclr", 3, size, advice=[advice])
    advice = f"Color: hue and saturation need RGB. Of {channels} bands, brightness and contrast change together."
    return Suggestion("satellite-simclr", channels, size, advice=[advice])


def _find_full_scale(survey: Survey) -> int | None:
    """Return the highest level of images that use fewer than 16 of 16 bits; None for others."""
    if any(facts.depth != "uint16" or facts.full_scale is not None for facts in survey.readable):
        return None
    highest = max(facts.highest for facts in survey.readable)
    bits = next((bits for bits in _BITS if highest < 2**bits), None)
    # Levels below 256 are more likely those of 8 bits, or numbers of classes.
    return None if bits is None or highest < 256 else 2**bits - 1


def _advise_on_shape(survey: Survey) -> Iterator[str]:
    yield "Shape: keep flips and turns only if a mirrored or turned image means the same to you."
    yield "Texture: keep gaussian_blur only if fine structures do not matter for your task."
    long = np.mean([max(facts.size) >= _LONG * min(facts.size) for facts in survey.readable])
    if long >= _MOST:
        yield "Shape: most images are long, so a square crop shows little of them; try a larger scale of the crops."
    if 0 < (share := survey.share("is_transparent")) < _MOST:
        yield f"Color: {share:.0%} of the images are transparent; data.background says what is behind them."
