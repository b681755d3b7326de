"""Pages that hold everything they show: no network, no second file."""

from __future__ import annotations

import base64
import hashlib
import io
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from sslreg.report.preview_image import fitted, zoom_of
from sslreg.report.unavailable import Missing
from sslreg.version import __version__

if TYPE_CHECKING:
    from sslreg.report.view_preview import Preview

#: CSS pixels: the side of the largest view on a page; four fit beside each other on a laptop, two on a phone.
TILE = 144

#: Images with a larger side are photographs, which WebP keeps small; smaller ones are kept exactly.
_SMALL = 64


def page(template: str, **content: Any) -> str:
    """A document from a template; every text in `content` is escaped, but for what is `Markup`."""
    return _environment().get_template(template).render(version=__version__, **content)


def preview_page(preview: Preview, params: bool) -> str:
    """See `Preview.page`."""
    return page("preview.html", preview=preview, params=params)


def script(name: str) -> Markup:
    """A script from among the templates. A page that gets it as ``script`` runs no other one."""
    source, _, _ = PackageLoader("sslreg.report").get_source(_environment(), name)
    return Markup(source)


def _digest(source: str) -> str:
    """What a content security policy knows a script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"


def _zoom(preview: Preview) -> float:
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
    environment.filters["digest"] = _digest
    environment.filters["zoom"] = _zoom
    environment.tests["missing"] = lambda content: isinstance(content, Missing)
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
