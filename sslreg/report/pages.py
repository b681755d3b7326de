"""Pages that hold everything they show: no network, no second file."""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

import sslreg
from sslreg.report.grid import fitted, zoom_of

if TYPE_CHECKING:
    from sslreg.report.previews import Preview

#: CSS pixels: the side of the largest view on a page; four fit beside each other on a laptop, two on a phone.
TILE = 144

#: Images with a larger side are photographs, which WebP keeps small; smaller ones are kept exactly.
_SMALL = 64


def page(template: str, **content: Any) -> str:
    """A document from a template; every text in `content` is escaped."""
    return _environment().get_template(template).render(version=sslreg.__version__, **content)


def preview_page(preview: Preview, params: bool) -> str:
    """See `Preview.page`."""
    return page("preview.html", preview=preview, zoom=preview_zoom(preview), params=params)


def preview_zoom(preview: Preview) -> float:
    """How much a page enlarges the views of a preview, all alike."""
    return zoom_of([side for row in preview.rows for tile in row.tiles for side in tile.picture.size], TILE)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sslreg.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["tile"] = TILE
    environment.filters["data_uri"] = data_uri
    environment.filters["fitted"] = lambda image: fitted(image, TILE)
    return environment


def data_uri(image: Image.Image, quality: int = 80) -> Markup:
    """An image within the page. quality: of WebP, from 0 to 100."""
    buffer = io.BytesIO()
    if max(image.size) <= _SMALL:
        image.save(buffer, "PNG", optimize=True)
        kind = "png"
    else:
        image.save(buffer, "WEBP", quality=quality)
        kind = "webp"
    return Markup(f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}")
