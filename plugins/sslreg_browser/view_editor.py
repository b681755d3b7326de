"""An editor for the views of a spec: takes views as plain data, and returns the spec that has them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

import sslreg
from sslreg_browser import spec_text

#: The names under which a spec can be saved.
_FILE_NAME = re.compile(r"\w[\w .+=-]{0,100}\.ya?ml")

#: Characters that these names do not have.
_UNUSUAL = re.compile(r"[^\w .+=-]+")

#: The largest number of pixels of all views that are shown at once.
MAX_PIXELS = 20_000_000

#: The side of an image whose operations set no size.
_SMALL_SIDE = 64


class ViewEditor:
    """An editor for the views of one spec.

    Everything else of the spec stays as it is: its text and its comments, too.

    Args:
        spec: The spec as it is in its file.
        folder: The folder in which specs are saved.
        stem: The start of the proposed file names.

    Attributes:
        spec: The spec.
        views: Its views as plain data.
        folder: The folder.
    """

    def __init__(self, spec: sslreg.Spec, folder: Path, stem: str) -> None:
        self.spec = spec
        self.views: list[Any] = spec.to_dict()["views"]
        self.folder = folder
        self._stem = _UNUSUAL.sub("-", stem).strip("-+=. ")[:80] or "spec"

    @property
    def proposed_name(self) -> str:
        """A file name that does not exist yet."""
        names = (f"{self._stem}-views{number}.yaml" for number in ("", *map(str, range(2, 100))))
        return next(name for name in names if not (self.folder / name).exists())

    def write(self, views: list[Any], file_name: str | None = None) -> str:
        """Return the text of the spec with other views, which is that of its file if they are the same.

        If the views in that text cannot be replaced, the result is a complete copy of the spec without its comments.

        Args:
            views: The views as plain data.
            file_name: The name of the file for which the text is. Runs of the spec get its name.
        """
        if views == self.views:
            return self.spec.source
        text = spec_text.replace_views(self.spec.source, self.views, views)
        if text is None:
            text = sslreg.dump_yaml({**self.spec.to_dict(), "views": views})
        if file_name is None or file_name == Path(self.spec.file).name:
            return text
        return spec_text.rename(text, Path(file_name).stem)

    def load(self, text: str) -> sslreg.Spec:
        """Load the spec with a text.

        Raises:
            UserError: The spec is invalid.
        """
        return sslreg.parse_spec(text, self.spec.file)

    def compare(self, text: str) -> list[str]:
        """Return the lines of the unified difference from the file to a text, without a heading."""
        before, after = self.spec.source.splitlines(), text.splitlines()
        return list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]

    def locate(self, text: str, diagnostics: Iterable[sslreg.Diagnostic]) -> list[dict[str, Any]]:
        """Return diagnostics of a spec with a text as plain data.

        Returns:
            For each diagnostic its ``severity``, ``message``, ``hint``, ``line`` in the text, and ``path``, the keys
            and indices of the value. Line and path are None for values in other files.
        """
        located = []
        for diagnostic in diagnostics:
            line, path = None, None
            if diagnostic.file == self.spec.file and diagnostic.line is not None:
                line = diagnostic.line
                path = list(spec_text.find_path(text, diagnostic.line, diagnostic.column or 1))
            located.append(
                {
                    "severity": diagnostic.severity,
                    "message": sslreg.escape_text(diagnostic.message),
                    "hint": diagnostic.hint and sslreg.escape_text(diagnostic.hint),
                    "line": line,
                    "path": path,
                }
            )
        return located

    def save(self, views: list[Any], file_name: str, *, overwrite: bool = False) -> Path:
        """Write the spec with other views into the folder.

        Args:
            views: The views as plain data.
            file_name: The name of the file.
            overwrite: Replace a file that exists.

        Raises:
            UserError: The name is not that of a YAML file in the folder, or the file exists (code ``file-exists``).
        """
        if not _FILE_NAME.fullmatch(file_name):
            raise sslreg.UserError(
                f"{file_name!r} is not a name for a spec",
                hint="use letters, digits, spaces and - _ . + =, and end the name with .yaml",
                code="bad-name",
            )
        path = self.folder / file_name
        if path.is_symlink() or path.is_dir():
            raise sslreg.UserError(
                f"{file_name} is a link or a folder and is not replaced", hint="choose another name", code="bad-name"
            )
        if path.exists() and not overwrite:
            raise sslreg.UserError(f"{file_name} exists", hint="replace it, or choose another name", code="file-exists")
        text = self.write(views, file_name)
        with sslreg.atomic_write(path) as draft:
            draft.write_text(text, encoding="utf-8")
        return path


def edit_spec(source: str) -> ViewEditor:
    """Return an editor for a spec, which saves beside its file, or in the working directory for a shipped spec.

    Args:
        source: The file of the spec, or the name of a shipped one.

    Raises:
        UserError: The spec is invalid.
    """
    spec, file = sslreg.load_spec(source), Path(source).expanduser()
    return ViewEditor(spec, file.resolve().parent if file.is_file() else Path.cwd(), Path(spec.file).stem)


def edit_run(path: Path) -> ViewEditor:
    """Return an editor for the spec of a run as it was trained, which saves in the working directory.

    Raises:
        UserError: The run is damaged, or this version of sslreg cannot read its spec.
    """
    spec = sslreg.load_run(path).spec
    return ViewEditor(spec, Path.cwd(), spec.name)


def require_views(content: Any) -> list[Any]:
    """Return the views in a request.

    Raises:
        UserError: They are not a list of mappings of plain data that YAML can express.
    """
    if isinstance(content, list) and all(isinstance(view, dict) for view in content):
        try:
            sslreg.dump_yaml(content)
        except (yaml.YAMLError, RecursionError):
            pass
        else:
            return content
    raise sslreg.UserError("`views` is not a list of views", code="bad-request")


def require_moderate_size(views: list[Any], samples: int) -> None:
    """Refuse views that would take minutes or all memory to make, such as those of a mistyped size.

    Args:
        views: The views as plain data.
        samples: The number of images.

    Raises:
        UserError: The views have more than `MAX_PIXELS` pixels together, by the ``size`` of their operations.
    """
    pixels = samples * sum(_count(view.get("repeat")) * _find_side(view.get("augment")) ** 2 for view in views)
    if pixels > MAX_PIXELS:
        raise sslreg.UserError(
            "the views of these images are too large to be shown", hint="show fewer images, or lower `size` or `repeat`"
        )


def _count(repeat: Any) -> int:
    return min(repeat, MAX_PIXELS) if isinstance(repeat, int) else 1


def _find_side(content: Any) -> float:
    """Return the largest ``size`` of the operations, that of a small image if there is none."""
    children = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    sides = [_find_side(child) for child in children if isinstance(child, dict | list)]
    if isinstance(content, dict) and "size" in content:
        size = content["size"]
        sides += [side for side in (size if isinstance(size, list) else [size]) if isinstance(side, int | float)]
    return min(max(sides, default=_SMALL_SIDE), MAX_PIXELS)
