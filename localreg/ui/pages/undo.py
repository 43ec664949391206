"""Taking a commit back."""

from __future__ import annotations

from starlette.responses import Response

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.ui.view import View

__all__ = ["undo"]


def undo(view: View) -> Response:
    """`POST /undo`: fields `commit`, perhaps `event`, and `back`, the page to go back to."""
    event = view.form.text("event")
    commit = view.registry.undo(_whole(view, "commit"), event=_whole(view, "event") if event else None)
    back = view.form.text("back")
    return view.done(commit, back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/")


def _whole(view: View, name: str) -> int:
    text = view.form.text(name)
    if not text.isdecimal() or len(text) > 18:
        raise InvalidInputError(f"{name} is {shown_value(text)}; write a whole number")
    return int(text)
