"""HTML pages that contain everything they show: they load nothing from a network or from another file."""

from __future__ import annotations

import base64
import hashlib
import io
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from sslreg.escaping import escape_text
from sslreg.report.drawing import choose_zoom, fit_image
from sslreg.report.preview_data import PreviewData
from sslreg.report.unavailable import Unavailable
from sslreg.version import __version__

#: The side of the largest view on a page in CSS pixels. Four fit in a row on a laptop, two on a phone.
TILE = 144

#: Images with a larger side are stored as WebP, which keeps photographs small. Others are stored without loss.
_SMALL = 64


#: The package with the templates of the core.
_PACKAGE = "sslreg.report"


def render_page(template: str, package: str = _PACKAGE, **content: Any) -> str:
    """Render a template. All text in `content` is escaped, except `Markup`.

    Args:
        template: The file name of the template.
        package: The package whose folder ``templates`` has it. A template of a plugin extends ``base.html``, and may
            import macros from ``_charts.html`` (`build_chart`), ``_invariance.html`` (`build_profile`) and
            ``_tables.html`` (`PageTable`).
        content: The variables of the template.
    """
    return _environment(package).get_template(template).render(version=__version__, **content)


def render_preview(preview: PreviewData, params: bool) -> str:
    """Render a preview as a page.

    Args:
        preview: The preview.
        params: Write what each operation drew under each view.
    """
    return render_page("preview.html", preview=preview, params=params)


def load_script(name: str) -> Markup:
    """Load a script from the templates. A page that gets it as ``script`` runs no other script."""
    source, _, _ = PackageLoader(_PACKAGE).get_source(_environment(), name)
    return Markup(source)


def data_uri(image: Image.Image, quality: int = 80) -> Markup:
    """Encode an image as a data URI.

    Args:
        image: The image.
        quality: The quality of WebP, from 0 to 100.
    """
    buffer = io.BytesIO()
    if max(image.size) <= _SMALL:
        image.save(buffer, "PNG", optimize=True)
        kind = "png"
    else:
        image.save(buffer, "WEBP", quality=quality)
        kind = "webp"
    return Markup(f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}")


@cache
def _environment(package: str = _PACKAGE) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in dict.fromkeys((package, _PACKAGE))]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_escape,
    )
    environment.globals["tile"] = TILE
    environment.filters["data_uri"] = data_uri
    environment.filters["digest"] = _digest
    environment.filters["zoom"] = _zoom
    environment.tests["unavailable"] = lambda content: isinstance(content, Unavailable)
    environment.filters["fit"] = lambda image: fit_image(image, TILE)
    return environment


def _escape(value: Any) -> Any:
    """Escape control characters and bytes of file names that are not UTF-8, which no page can contain."""
    return escape_text(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _digest(source: str) -> str:
    """Return the hash of a script for a content security policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"


def _zoom(preview: PreviewData) -> float:
    """Return the common zoom of a preview's views on a page."""
    return choose_zoom([side for row in preview.rows for tile in row.tiles for side in tile.picture.size], TILE)
