"""The style sheet, the script and the icon: small, our own, and named by their content, so that browsers keep them."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import NamedTuple

from localreg.html.style import style_sheet

__all__ = ["Asset", "address_of", "asset"]


class Asset(NamedTuple):
    """A file that pages ask for."""

    data: bytes
    media_type: str
    digest: str


NAMES = ("page.css", "compare.css", "tracking.css", "page.js", "charts.js", "icon.svg")
MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@cache
def asset(name: str) -> Asset | None:
    """A file by its name; None = there is none.

    `page.css` begins with the style sheet of reports, whose colours and tables pages share.
    """
    if name not in NAMES:
        return None
    data = files("localreg.ui").joinpath("static", name).read_bytes()
    if name == "page.css":
        data = style_sheet().encode() + data
    return Asset(data, MEDIA_TYPES[name.rpartition(".")[2]], sha256(data).hexdigest()[:12])


def address_of(name: str) -> str:
    """The address of a file that there is."""
    found = asset(name)
    assert found is not None, name
    return f"/static/{found.digest}/{name}"
