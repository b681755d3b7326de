"""The choice of one or all of the pages or frames of a file. A sample is one image, so the spec has to choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import sslreg

#: The number of a page or frame, from 0, or the word for all of them as channels. None: a file has to have only one.
FrameChoice = int | Literal["channels"] | None


def choose_frames(count: int, choice: FrameChoice, *, reader: str, name: str, can_stack: bool = True) -> range:
    """Return the numbers of the frames to read.

    Args:
        count: The number of frames in the file.
        choice: The spec's choice.
        reader: The name of the reader, for messages.
        name: The name of the parameter and of the frames, such as ``pages``.
        can_stack: Whether the reader can read all frames as channels.

    Raises:
        sslreg.UserError: There are several frames and no choice, or the chosen one does not exist.
    """
    if choice == "channels" or (choice is None and count == 1):
        return range(count)
    as_channels = f", or {name}: channels to read all of them as channels" * can_stack
    if choice is None:
        raise sslreg.UserError(
            f"it has {count} {name}, and a sample is one image",
            hint=f"write data.readers: [{{use: {reader}, {name}: 0}}] to read only the first{as_channels}; "
            f"or store the {name} as separate files",
        )
    if choice >= count:
        raise sslreg.UserError(f"it has {count} {name}, and none has the number {choice}; the first has the number 0")
    return range(choice, choice + 1)


def require_equal(frames: Sequence[Mapping[str, Any]], name: str) -> None:
    """Check that frames agree in their properties, so that they can be channels of one image.

    Args:
        frames: The properties of each frame by their names.
        name: The name of the frames.

    Raises:
        sslreg.UserError: They do not.
    """
    for key in frames[0]:
        found = list(dict.fromkeys(str(frame[key]) for frame in frames))
        if len(found) > 1:
            raise sslreg.UserError(
                f"its {len(frames)} {name} cannot be channels of one image, since they differ in {key}: "
                f"{', '.join(found[:4])}{', …' * (len(found) > 4)}",
                hint=f"read one of them, for example {name}: 0, or store the {name} as separate files",
            )
