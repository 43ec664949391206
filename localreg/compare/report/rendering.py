"""From Vega-Lite specifications to inline SVG, by vl-convert (extra `ui`): no browser, no network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from localreg.html.markup import Markup, clean
from localreg.html.theme import Spec

__all__ = ["can_render", "rendered"]

VERSION = "6.4"
"""Of Vega-Lite: another one may draw other pictures."""


def can_render() -> bool:
    """Whether vl-convert is installed."""
    try:
        import vl_convert  # noqa: F401 - only to tell that it is missing
    except ImportError:
        return False
    return True


def rendered(spec: Spec, prefix: str) -> Markup:
    """The picture of a specification, to be put into a page.

    Args:
        spec: the specification.
        prefix: of the ids within, which must be unique on a page.
    """
    import vl_convert

    text = clean(json.dumps(spec, ensure_ascii=False, allow_nan=False, sort_keys=True))
    svg = vl_convert.vegalite_to_svg(text, vl_version=VERSION, allowed_base_urls=[])
    return Markup(_numbered(svg, prefix).replace('xmlns:xlink="http://www.w3.org/1999/xlink" ', "", 1))


def _numbered(svg: str, prefix: str) -> str:
    """With ids of our own: vl-convert counts on and on, so that they depend on what was drawn before."""
    names = dict.fromkeys(re.findall(r'<(?:clipPath|linearGradient) id="([\w-]+)"', svg))
    for number, name in enumerate(names):
        for around in _uses(name):
            svg = svg.replace(around, around.replace(name, f"{prefix}-{number}"))
    return svg


def _uses(name: str) -> Iterator[str]:
    yield f'id="{name}"'
    yield f"url(#{name})"
