"""All pages by address. A page is a function from a view to an answer; what changes something is asked for by POST."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from starlette.responses import Response

from localreg.ui.pages import compare, downloads, models, samples, undo
from localreg.ui.view import View

__all__ = ["PAGES"]

Page: TypeAlias = Callable[[View], Response]


class Pages(NamedTuple):
    """Pages by path, as routes are written."""

    looks: Mapping[str, Page]
    changes: Mapping[str, Page]


PAGES = Pages(
    looks={
        "/": models.listing,
        "/compare": compare.compare,
        "/compare/choices": compare.choices,
        "/compare/download": downloads.download,
        "/compare/part": compare.part,
        "/compare/sample": samples.one,
        "/compare/samples": samples.gallery,
        "/picture": samples.shown_picture,
    },
    changes={
        "/compare/delete": compare.delete,
        "/compare/save": compare.save,
        "/undo": undo.undo,
    },
)
