"""Taking a commit back."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from starlette.responses import Response

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.query.quoting import literal
from localreg.ui.view import View

__all__ = ["undo"]

PLACES = {
    "models": ("models", "/"),
    "versions": ("model_versions", "/"),
    "suites": ("test_suites", "/suites"),
    "cases": ("test_cases", "/cases"),
    "runs": ("test_runs", "/runs"),
    "experiments": ("experiments", "/experiments"),
    "checkpoints": ("checkpoints", "/experiments"),
    "artifacts": ("artifacts", "/artifacts"),
}
"""By where pages of single things lie: the table that has them, and the page that lists them."""
OWN = ("namespace", "at", "done")
"""Parameters that the answer has of its own."""


def undo(view: View) -> Response:
    """`POST /undo`: fields `commit`, perhaps `event`, and `back`, the page to go back to, with its parameters."""
    event = view.form.text("event")
    commit = view.registry.undo(_whole(view, "commit"), event=_whole(view, "event") if event else None)
    back = view.form.text("back")
    told = urlsplit(back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/")
    path = "/" if told.netloc or told.path.startswith(("//", "/\\")) else told.path
    listing = _listing_if_gone(view, path)
    if listing is not None:
        return view.done(commit, listing)
    query = parse_qs(told.query, keep_blank_values=True)
    return view.done(commit, path, **{name: texts for name, texts in query.items() if name not in OWN})


def _listing_if_gone(view: View, path: str) -> str | None:
    """The page that lists what a page showed whose thing is there no more; None = it is there."""
    found = re.fullmatch("/([a-z]+)/([0-9a-f]{32})", path)
    if found is None or found[1] not in PLACES:
        return None
    table, listing = PLACES[found[1]]
    return None if len(view.registry.sql(f"SELECT id FROM {table} WHERE id = {literal(found[2])}")) else listing


def _whole(view: View, name: str) -> int:
    text = view.form.text(name)
    if not text.isdecimal() or len(text) > 18:
        raise InvalidInputError(f"{name} is {shown_value(text)}; write a whole number")
    return int(text)
