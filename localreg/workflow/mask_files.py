"""Masks as images of one channel of 8 bits: local files, read with Pillow (the extra `ui`).

Only regular files of this machine are opened, and only in formats that are decoded without running anything else; how
large they may be is bounded. Nothing is ever fetched.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.workflow.local_files import local_path

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]

__all__ = ["read_mask"]

FORMATS = ("BMP", "GIF", "PNG", "PPM", "TIFF", "WEBP")
"""Those without loss: after a lossy one, values would be none of the classes."""
MODES = ("1", "L", "P")
MOST_BYTES = 256 * 2**20
MOST_PIXELS = 256 * 10**6


def read_mask(locator: str, what: str, *, most_pixels: int | None = None) -> Pixels:
    """The values of a mask, (height, width); of an image with a palette, the places in it.

    Args:
        locator: of the file.
        what: it is, for messages.
        most_pixels: a larger one is not read; None = as for all masks.

    Raises:
        InvalidInputError: Pillow is not installed; there is no such local file; it is no image of one channel of 8
            bits, in one of the formats, or too large.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise InvalidInputError(
            "masks are read with Pillow, which is not installed: pip install 'localreg-registry[ui]'"
        ) from error
    import numpy as np

    path, named = local_path(locator), f"{what}, {shown_value(locator)},"
    if path is None:
        raise InvalidInputError(f"{named} is no file of this machine, and nothing is fetched; bring it here first")
    if os.path.getsize(path) > MOST_BYTES:
        raise InvalidInputError(f"{named} has more than {MOST_BYTES:,} bytes; a mask of that size is not read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # bounded below
            with Image.open(path, formats=FORMATS) as image:
                if image.mode not in MODES:
                    raise InvalidInputError(
                        f"{named} is an image of mode {image.mode}; a mask has one channel of 8 bits (mode L or P)"
                    )
                most = MOST_PIXELS if most_pixels is None else most_pixels
                if image.width * image.height > most:
                    raise InvalidInputError(f"{named} has more than {most:,} pixels; it is not read")
                return np.asarray(image, dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"{named} cannot be read as an image ({', '.join(FORMATS)}): {type(error).__name__}: {error}"
        ) from error
