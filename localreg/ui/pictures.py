"""Pictures of samples by address: what a page of ours named, of files inside the folders that may be shown.

Both are checked at each request: the address is signed by this server, and the file, after all links, lies inside.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from pathlib import Path

from localreg.compare.report.pictures import Picture, Shown, picture_size, small_picture
from localreg.ui.site import Site
from localreg.workflow.local_files import local_path

__all__ = ["LARGE", "SMALL", "Addresses", "may_show", "picture"]

SMALL, LARGE = 320, 1600
"""Pixels of a picture's longer side: of one among others, on a screen with fine pixels, and of one alone."""


class Addresses:
    """Pictures of one page, as `PictureSource` has them.

    Args:
        site: whose folders may be shown.
        side: pixels of the longer side.
    """

    def __init__(self, site: Site, side: int) -> None:
        self._site = site
        self._side = side
        self.outside: Path | None = None
        """The folder of a picture that may not be shown: the first one of the page."""

    def of(self, locator: str) -> Shown | None:
        """See `PictureSource`."""
        found = _file(locator)
        if found is None:
            return None
        if not _is_inside(self._site, found):
            self.outside = self.outside or found.parent
            return None
        size = picture_size(str(found))
        return None if size is None else Shown(self._address(locator), *size)

    def may_read(self, locator: str) -> bool:
        """See `PictureSource`."""
        return may_show(self._site, locator)

    def _address(self, locator: str) -> str:
        from urllib.parse import urlencode

        asked = {"locator": locator, "side": self._side, "signed": _signature(self._site, locator, self._side)}
        return f"/picture?{urlencode(asked)}"


def picture(site: Site, locator: str, side: int, signed: str) -> Picture | None:
    """The picture of an address; None = there is none, or it may not be shown.

    Args:
        site: whose folders may be shown.
        locator: that a sample names.
        side: pixels of the longer side.
        signed: of both.
    """
    if not hmac.compare_digest(_signature(site, locator, side).encode(), signed.encode()):
        return None
    found = _file(locator)
    return small_picture(str(found), side) if found is not None and _is_inside(site, found) else None


def may_show(site: Site, locator: str) -> bool:
    """Whether a locator names a file of this machine inside the folders that may be shown."""
    found = _file(locator)
    return found is not None and _is_inside(site, found)


def _signature(site: Site, locator: str, side: int) -> str:
    return hmac.new(site.keys.signing, f"{side} {locator}".encode("utf-8", "surrogatepass"), sha256).hexdigest()[:32]


def _file(locator: str) -> Path | None:
    """The file that a locator names, after all links; None if there is none on this machine."""
    path = local_path(locator)
    try:
        return None if path is None else Path(path).resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # it went meanwhile, or links go round
        return None


def _is_inside(site: Site, path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in site.folders)
