"""What bash puts on the line for an offer: it inserts completions as they are, so that the quoting is ours.

zsh, fish and PowerShell are told by typer's scripts in words of their own; only bash reads what it inserts.

Source: GNU Bash Manual 5.2, sections 3.1.2 (Quoting) and 8.7 (Programmable Completion).
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["quoting"]

_ASKED = "_LOCALREG_COMPLETE"
_SPECIAL: dict[str, tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]] = {
    "": (re.compile(r"[^\w./+,%-]"), r"\\\g<0>"),
    '"': (re.compile(r'[\\"$`]|!'), lambda match: '"\\!"' if match[0] == "!" else f"\\{match[0]}"),
    "'": (re.compile("'"), r"'\\''"),
}
"""By the quote that is open: what bash would read, and how it is said there. `!` (history) has no escape inside ""."""


@contextlib.contextmanager
def quoting() -> Iterator[None]:
    """If this process answers bash's completion, each line printed inside is quoted for the word that is completed."""
    if os.environ.get(_ASKED) != "complete_bash":
        yield
        return
    words = [_read(word) for word in os.environ.get("COMP_WORDS", "").split("\n")]
    # typer reads them by rules that know of no \$ inside ""
    os.environ["COMP_WORDS"] = "\n".join(shlex.quote(word.meant) for word in words)
    number = os.environ.get("COMP_CWORD", "")
    word = words[int(number)] if number.isdecimal() and int(number) < len(words) else _read("")
    offers = io.StringIO()
    with contextlib.redirect_stdout(offers):
        yield
    print("\n".join(_quoted(offer, word) for offer in offers.getvalue().rstrip("\n").split("\n")))


class _Word(NamedTuple):
    meant: str
    quote: str
    """That is open at its end, or none."""
    before: str
    """What it means up to that quote."""


def _read(typed: str) -> _Word:
    """A word as bash reads it."""
    meant, before, quote, escaped = "", "", "", False
    for char in typed:
        if escaped:
            meant, escaped = meant + (char if not quote or char in '\\"$`' else f"\\{char}"), False
        elif char == "\\" and quote != "'":
            escaped = True
        elif char == quote:
            quote = ""
        elif char in "\"'" and not quote:
            before, quote = meant, char
        else:
            meant += char
    return _Word(meant, quote, before if quote else "")


def _quoted(offer: str, word: _Word) -> str:
    """What stands in the place of the word; where a quote is open, bash replaces only what follows that quote."""
    special, escaped = _SPECIAL[word.quote]
    return special.sub(escaped, offer.removeprefix(word.before))
