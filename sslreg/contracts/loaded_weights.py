"""A report on the weights from which a backbone starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: How many names of tensors a line has at most.
_NAMED = 3


@dataclass(frozen=True)
class LoadedWeights:
    """The weights that a backbone has loaded, and those that it has not, with the reasons.

    Attributes:
        source: the weights as the spec names them: a file, the folder of a run, or a name.
        file: the path of the file that was read.
        sha256: the SHA-256 of that file.
        layout: the names that the tensors have in the file, such as ``timm``.
        prefix: the part of those names before the backbone's, such as ``teacher.backbone.``.
        loaded: the number of the backbone's tensors that come from the file.
        tensors: the number of the backbone's tensors.
        adapted: by names of the backbone's tensors, how those of the file were changed, for example resized.
        missing: by names of the backbone's tensors, why the file lacks them. They keep their initial values.
        left_out: by names of tensors in the file, or by their common beginning and a ``*``, why they are not used.
    """

    source: str
    file: str
    sha256: str
    layout: str
    prefix: str
    loaded: int
    tensors: int
    adapted: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the report as ``lock.json`` has it."""
        return asdict(self)

    def describe(self) -> str:
        """Return the report in one line."""
        parts = [
            f"{self.loaded} of {self.tensors} tensors loaded from {self.source} "
            f"({self.layout}{f', {self.prefix}*' if self.prefix else ''}; SHA-256 {self.sha256[:12]})"
        ]
        for word, reasons in (("adapted", self.adapted), ("missing", self.missing), ("left out", self.left_out)):
            if reasons:
                parts.append(f"{word}: {_abbreviate(f'{name} ({reason})' for name, reason in reasons.items())}")
        return "; ".join(parts)


def _abbreviate(names: Iterable[str]) -> str:
    """Return the first names, and the number of the others."""
    listed = list(names)
    others = [f"{len(listed) - _NAMED} more"] if len(listed) > _NAMED else []
    return ", ".join([*listed[:_NAMED], *others])
