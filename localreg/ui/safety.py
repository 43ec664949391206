"""Who may come in, and what a browser may do with what it gets.

Guarantees: a page is given only under the names that this server has (DNS rebinding), and with a token only to who has
it; a change only to forms of these pages (CSRF); no page runs scripts or shows anything that does not come from here.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from hashlib import sha256
from secrets import token_urlsafe
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["FORM_TOKEN", "Guard", "Keys"]

FORM_TOKEN = "form_token"  # the name of a field
"""The field of each form that says that one of our pages made it."""

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer, browsers say of our own forms that they come from nowhere
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
COOKIE = "localreg"


class Keys:
    """The secrets of one start of the server.

    Attributes:
        form: what forms carry back.
        entrance: what lets in; None = the address is open to every user of this machine.
        signing: signs addresses of pictures.
        cookie: what is kept by who came in; it does not tell the token.
    """

    def __init__(self, entrance: str | None = None) -> None:
        self.form = token_urlsafe(24)
        self.entrance = entrance
        self.signing = token_urlsafe(24).encode()
        self.cookie = None if entrance is None else sha256(b"localreg " + entrance.encode()).hexdigest()

    def is_form(self, given: str) -> bool:
        """Whether a form was made by this server."""
        return hmac.compare_digest(given.encode(), self.form.encode())


class Guard:
    """Stands before the application.

    Args:
        app: the application.
        keys: the secrets.
        hosts: under which the page may be asked for, with their ports; None = under any, which needs an entrance token.
    """

    def __init__(self, app: ASGIApp, *, keys: Keys, hosts: Collection[str] | None) -> None:
        if hosts is None and keys.entrance is None:
            raise ValueError("a server that goes by any name needs a token")
        self._app = app
        self._keys = keys
        self._hosts = None if hosts is None else {each.lower() for each in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application."""
        if scope["type"] != "http":  # there are no websockets here; what uvicorn says of its own life may pass
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-cache")
            await send(message)

        refusal = self._refusal(scope)
        await (self._app if refusal is None else refusal)(scope, receive, sealed)

    def _refusal(self, scope: Scope) -> Response | None:
        """What is answered instead; None = come in."""
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if self._hosts is not None and host not in self._hosts:
            there = " or ".join(sorted(self._hosts))
            return PlainTextResponse(f"this page is at {there}; open it there\n", 421)
        if scope["method"] not in ("GET", "HEAD") and not _is_from_here(headers, host):
            return PlainTextResponse("a change was asked for by another site; nothing was done\n", 403)
        if not _is_looked_at(headers):
            return PlainTextResponse("another site may lead to a page, and not load it\n", 403)
        return self._entrance(scope, headers)

    def _entrance(self, scope: Scope, headers: Headers) -> Response | None:
        token = self._keys.entrance
        if token is None:
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token")
        # A cookie goes to all ports of a machine: its name says whose it is.
        cookie = f"{COOKIE}-{(scope.get('server') or ('', 0))[1]}"
        if given is not None and hmac.compare_digest(given.encode(), token.encode()):
            rest = urlencode([(key, value) for key, value in query if key != "token"])
            # One slash: two would be the address of another machine.
            path = "/" + scope["path"].lstrip("/\\")
            response = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
            # Lax, so that a link in a chat leads in; changes have the token of their form besides.
            response.set_cookie(cookie, self._keys.cookie or "", httponly=True, samesite="lax")
            return response
        # The parser of the standard library gives up at the first odd cookie of somebody else.
        held = cookie_parser(headers.get("cookie", "")).get(cookie, "")
        if hmac.compare_digest(held.encode(), (self._keys.cookie or "").encode()):
            return None
        return PlainTextResponse("open the address that localreg ui printed: it has a token\n", 403)


def _is_looked_at(headers: Headers) -> bool:
    """Whether a page is asked for by itself, or by a person who follows a link; not as a picture of another site."""
    if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return True
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _is_from_here(headers: Headers, host: str) -> bool:
    """Whether a change was asked for by a page of ours, as far as browsers say; the form's token says the rest."""
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
        return False
    return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
