"""The addresses of all pages, and how a request becomes a call of a page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from localreg.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ConflictError,
    InvalidInputError,
    LocalregError,
    NotFoundError,
    PolicyError,
    ReadOnlyError,
)
from localreg.registry import Registry
from localreg.ui.assets import asset
from localreg.ui.pages import PAGES, Page, page_of
from localreg.ui.safety import FORM_TOKEN, Guard, Keys
from localreg.ui.site import Site
from localreg.ui.view import KEPT, Form, View

__all__ = ["make_app"]

MOST_SENT = 4 * 2**20
"""Bytes of a form."""

STATUS: tuple[tuple[type[LocalregError], int], ...] = (
    (NotFoundError, 404),
    (AccessDeniedError, 403),
    (ReadOnlyError, 403),
    (AlreadyExistsError, 409),
    (ConflictError, 409),
    (PolicyError, 409),
    (InvalidInputError, 400),
)
"""What HTTP calls our errors; others are the server's."""


def make_app(
    registry: Registry, *, keys: Keys | None = None, hosts: Collection[str] | None, files: Sequence[str | Path] = ()
) -> Guard:
    """The page as an ASGI application.

    Args:
        registry: what is shown, at the namespace that is shown first.
        keys: its secrets; None = new ones, and no token to come in.
        hosts: under which names it may be asked for, with ports; None = under any, which needs a token.
        files: folders whose pictures may be shown, beside the working directory and the registry's own.
    """
    keys = keys or Keys()
    site = Site(registry, keys, _folders(registry, files))
    routes = [Route("/static/{digest}/{name}", _static), Route("/favicon.ico", _icon)]
    routes += [Route(path, _endpoint(site, name), methods=["GET"]) for path, name in PAGES.looks.items()]
    routes += [Route(path, _endpoint(site, name), methods=["POST"]) for path, name in PAGES.changes.items()]
    pages = Starlette(
        routes=routes, exception_handlers={404: _handler(site, _missing), Exception: _handler(site, _failed)}
    )
    return Guard(pages, keys=keys, hosts=hosts)  # around all of it: what fails is sealed, too


def _folders(registry: Registry, files: Sequence[str | Path]) -> list[Path]:
    own = [Path(registry.uri)] if "://" not in registry.uri else []
    return [each.resolve() for each in (Path.cwd(), *own, *map(Path, files))]


def _endpoint(site: Site, name: str) -> Callable[[Request], Awaitable[Response]]:
    """What Starlette calls: pages ask a database, so they run in threads."""

    async def endpoint(request: Request) -> Response:
        form = Form([])
        if request.method == "POST":
            sent = await _body(request)
            if sent is None:
                return PlainTextResponse("the form is too large\n", 413)
            form = Form(parse_qsl(sent.decode("utf-8", "replace"), keep_blank_values=True))
            if not site.keys.is_form(form.text(FORM_TOKEN)):
                told = "this form was made before the server was started, or elsewhere; load its page again\n"
                return PlainTextResponse(told, 403)
        view = View(site, request.url.path, request.query_params, request.path_params, form, _referer(request))
        return await run_in_threadpool(lambda: _answer(page_of(name), view))

    return endpoint


def _handler(site: Site, page: Page) -> Callable[[Request, Exception], Awaitable[Response]]:
    """A page that is shown for an exception."""

    async def handler(request: Request, error: Exception) -> Response:
        view = View(site, request.url.path, request.query_params, came_from=_referer(request))
        return await run_in_threadpool(_answer, page, view)

    return handler


def _referer(request: Request) -> str | None:
    """The page of ours that led here, from the root."""
    address = request.headers.get("referer", "")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    rest = address.removeprefix(own)
    return rest if rest != address and rest.startswith("/") and not rest.startswith(("//", "/\\")) else None


async def _body(request: Request) -> bytes | None:
    """What was sent; None = too much."""
    sent = bytearray()
    async for piece in request.stream():
        sent += piece
        if len(sent) > MOST_SENT:
            return None
    return bytes(sent)


def _answer(page: Page, view: View) -> Response:
    """The page; of a refusal a page that tells it."""
    try:
        return page(view)
    except LocalregError as error:
        status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
        return _told(view, "It was refused", status, error.message)


def _told(view: View, title: str, status: int, message: str) -> Response:
    """A page with a message, in the namespace and at the moment of the address where these are not what is wrong."""
    kept = QueryParams([(name, view.query[name]) for name in KEPT if name in view.query])
    back = view.came_from or "/"
    for query in (kept, QueryParams()):
        try:
            return View(view.site, "/", query).page(
                "error.html", title=title, status=status, message=message, back=back
            )
        except LocalregError:
            continue
    return PlainTextResponse(f"{message}\n", status)


def _missing(view: View) -> Response:
    return _told(view, "Not found", 404, f"there is no page {view.path[:200]!r}")


def _failed(view: View) -> Response:
    """What no error of ours foresees; the traceback stands where the server runs."""
    told = "this page failed, which it should not have: the terminal of localreg ui tells more; please report it"
    return _told(view, "It failed", 500, told)


async def _static(request: Request) -> Response:
    found = asset(request.path_params["name"])
    if found is None or found.digest != request.path_params["digest"]:
        return PlainTextResponse("there is no such file\n", 404)
    kept = {"cache-control": "public, max-age=31536000, immutable"}
    return Response(found.data, media_type=found.media_type, headers=kept)


async def _icon(request: Request) -> Response:
    found = asset("icon.svg")
    assert found is not None
    return Response(found.data, media_type=found.media_type)
