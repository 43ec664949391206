"""Values of environment variables among a model's inputs. What the model says may show them, and is logged and kept."""

from __future__ import annotations

import re
import traceback
from collections.abc import Mapping

__all__ = ["Secrets"]


class Secrets:
    """Puts the names of variables in place of their values.

    Args:
        names: see `Plan.secrets`.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        longest = sorted(names, key=len, reverse=True)  # one may be part of another
        self._pattern = re.compile("|".join(map(re.escape, longest))) if names else None
        self._bytes = [each.encode(errors="surrogatepass") for each in longest]

    def hidden(self, text: str) -> str:
        """A text without them."""
        return text if self._pattern is None else self._pattern.sub(lambda match: self._names[match[0]], text)

    def are_in(self, text: str) -> bool:
        """Whether a text shows one."""
        return self._pattern is not None and self._pattern.search(text) is not None

    def are_in_bytes(self, data: bytes) -> bool:
        """Whether bytes, as of a pickle, hold one."""
        return any(each in data for each in self._bytes)

    def are_told_by(self, error: BaseException) -> bool:
        """Whether an exception shows one: by itself, by what led to it, or by what it holds."""
        if self._pattern is None:
            return False
        try:
            told = [*traceback.format_exception(error), repr(error.args), repr(vars(error))]
        except Exception:  # they are the model's, and may raise anything
            return True
        return any(map(self.are_in, told))
