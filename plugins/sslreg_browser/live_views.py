"""The views of a spec while it is edited: their pictures, mistakes, and plan."""

from __future__ import annotations

import base64
import io
import threading
from typing import Any

from PIL import Image

import sslreg
from sslreg_browser.view_editor import ViewEditor

#: The larger side of a picture of an original, in pixels.
_ORIGINAL_SIDE = 224

#: The larger side of pictures that are sent without loss.
_SMALL = 64


class LiveViews:
    """The images of a spec with the views that other views of the spec would make of them.

    The methods can be called from several threads.

    Args:
        editor: Writes the spec with other views.

    Attributes:
        editor: The editor.
    """

    def __init__(self, editor: ViewEditor) -> None:
        self.editor = editor
        self._lock = threading.Lock()
        self._previewer: tuple[tuple[int, int | None, int], sslreg.Previewer] | None = None
        self._encoded: dict[int, tuple[Image.Image, dict[str, Any]]] = {}

    def show(
        self, views: list[Any], samples: int = 8, seed: int | None = None, epoch: int = 0, file_name: str | None = None
    ) -> dict[str, Any]:
        """Return the spec with other views, and pictures of these views, as plain data.

        Args:
            views: The views as plain data.
            samples: The number of images.
            seed: The seed that draws the images and their views; None for that of the spec.
            epoch: The epoch of the views.
            file_name: The name of the file that the text is for.

        Returns:
            * ``yaml``: the text of the spec, ``difference``: its unified difference to the file
            * ``findings``: the errors and warnings; see `ViewEditor.locate`
            * ``invariances``: the paths and names of the operations that induce each invariance; None if the spec is
              invalid
            * ``pictures``: the images and their views; None if there are none, because of one of the findings
        """
        text = self.editor.write(views, file_name)
        shown: dict[str, Any] = {"yaml": text, "difference": self.editor.compare(text)}
        shown |= {"invariances": None, "pictures": None}
        try:
            spec = self.editor.load(text)
        except sslreg.UserError as error:
            return {**shown, "findings": self.editor.locate(text, error.diagnostics)}
        shown["invariances"] = {
            invariance: [{"use": component.use, "path": component.path} for component in components]
            for invariance, components in sslreg.induced_invariances(spec.views).items()
        }
        findings = list(spec.warnings)
        try:
            with self._lock:
                shown["pictures"] = self._show_preview(self._prepare(samples, seed, epoch).preview(spec))
        except sslreg.SslregError as error:
            findings += error.diagnostics
        return {**shown, "findings": self.editor.locate(text, findings)}

    def check(self, views: list[Any]) -> dict[str, Any]:
        """Return the findings of `sslreg check` on the spec with other views, as plain data."""
        text = self.editor.write(views)
        try:
            diagnostics = sslreg.try_spec(self.editor.load(text))
        except sslreg.UserError as error:
            diagnostics = error.diagnostics
        return {"findings": self.editor.locate(text, diagnostics)}

    def plan(self, views: list[Any], samples: int = 8, seed: int | None = None, epoch: int = 0) -> dict[str, Any]:
        """Return where each stage of the views runs, and how long it takes on this CPU, as plain data.

        Returns:
            The content of `sslreg.explain_views`; each stage of a view that is measured has its ``milliseconds`` per
            image, and each view their sum.

        Raises:
            UserError: The spec is invalid, or its views do not fit the images.
        """
        spec = self.editor.load(self.editor.write(views))
        explained = sslreg.explain_views(spec)
        with self._lock:
            times = self._prepare(samples, seed, epoch).measure(spec)
        for view, of_view in zip(explained["views"], times, strict=True):
            view["milliseconds"] = sum(of_view)
            # On an accelerator, a stage may be divided between the host and the device.
            if len(of_view) == len(view["stages"]):
                for stage, milliseconds in zip(view["stages"], of_view, strict=True):
                    stage["milliseconds"] = milliseconds
        return explained

    def _prepare(self, samples: int, seed: int | None, epoch: int) -> sslreg.Previewer:
        """Return a previewer of these images; only the last one is kept."""
        wanted = samples, seed, epoch
        if self._previewer is None or self._previewer[0] != wanted:
            self._previewer = None  # frees the images
            self._previewer = wanted, sslreg.Previewer(self.editor.spec, samples, seed, epoch, decode=True)
        return self._previewer[1]

    def _show_preview(self, preview: sslreg.Preview) -> dict[str, Any]:
        before, self._encoded = self._encoded, {}

        def encode(picture: Image.Image, side: int | None = None) -> dict[str, Any]:
            self._encoded[id(picture)] = before.get(id(picture)) or (picture, _encode(picture, side))
            return self._encoded[id(picture)][1]

        return {
            "seed": preview.seed,
            "titles": preview.titles,
            "notes": preview.notes,
            "rows": [
                {
                    "name": sslreg.escape_text(row.name),
                    "label": row.label and sslreg.escape_text(row.label),
                    "error": row.error and sslreg.escape_text(row.error),
                    "original": row.original and encode(row.original, _ORIGINAL_SIDE),
                    "tiles": [{**encode(tile.picture), "params": tile.params} for tile in row.tiles],
                }
                for row in preview.rows
            ],
        }


def _encode(picture: Image.Image, side: int | None = None) -> dict[str, Any]:
    """Return a picture as a data URI, with its size.

    Args:
        picture: The picture.
        side: The larger side to which it is reduced; None for its own size.
    """
    width, height = picture.size
    if side is not None and max(picture.size) > side:
        picture = picture.copy()
        picture.thumbnail((side, side))
    buffer = io.BytesIO()
    if max(picture.size) <= _SMALL:
        picture.save(buffer, "PNG")
        kind = "png"
    else:
        # WebP and PNG take ten times as long.
        picture.save(buffer, "JPEG", quality=92)
        kind = "jpeg"
    content = base64.b64encode(buffer.getvalue()).decode()
    return {"src": f"data:image/{kind};base64,{content}", "width": width, "height": height}
