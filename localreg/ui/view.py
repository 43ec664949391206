"""What a page knows of who asks, and where it leads: the registry as of the moment in the address, and links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.responses import HTMLResponse, RedirectResponse, Response

from localreg.errors import InvalidInputError
from localreg.registry import AllNamespaces, Registry
from localreg.ui.site import Site
from localreg.ui.templating import rendered
from localreg.written import commit_or_text

__all__ = ["ALL", "KEPT", "Form", "View"]

ALL = "*"
"""In place of a namespace: all of them."""
KEPT = ("namespace", "at")
"""Parameters of an address that lead on to the next one."""

Parameter: TypeAlias = str | int | bool | Sequence[str] | None


class Form:
    """What a form says.

    Args:
        fields: name and text of each field, in order.
    """

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """The text of a field, with plain ends of lines; "" = there is none."""
        return next((text for key, text in self._fields if key == name), "").replace("\r\n", "\n")


class View:
    """One request.

    Args:
        site: what is shown.
        path: of the address.
        query: of the address.
        parts: what the route found in the path.
        form: what was sent; empty for what only looks.
        came_from: the address of the page of ours that led here; None = it is not known.
    """

    def __init__(
        self,
        site: Site,
        path: str,
        query: QueryParams,
        parts: Mapping[str, str] | None = None,
        form: Form | None = None,
        came_from: str | None = None,
    ) -> None:
        self.site = site
        self.path = path
        self.query = query
        self.parts = parts or {}
        self.form = form or Form([])
        self.came_from = came_from

    # --- what is asked for --------------------------------------------------------------------------------------------

    @property
    def namespace(self) -> str:
        """The namespace that is shown; `*` = all."""
        return self.query.get("namespace") or self.site.registry.namespace_name

    @property
    def moment(self) -> str | None:
        """The commit or time as of which everything is shown; None = now."""
        return self.query.get("at", "").strip() or None

    @cached_property
    def registry(self) -> Registry:
        """The namespace as of the moment.

        Raises:
            InvalidInputError: all namespaces are asked for, where one is needed; no such commit or time.
            AccessDeniedError: the actor has no role there.
        """
        if self.namespace == ALL:
            raise InvalidInputError("this page shows one namespace; choose one above")
        registry = self.site.registry
        if self.namespace != registry.namespace_name:
            registry = registry.namespace(self.namespace)
        if self.moment is None:
            return registry
        at = commit_or_text(self.moment)
        return registry.at(commit=at) if isinstance(at, int) else registry.at(time=at)

    @cached_property
    def everything(self) -> Registry | AllNamespaces:
        """The same, or all namespaces, which can be listed but have no past of their own."""
        if self.namespace != ALL:
            return self.registry
        if self.moment is not None:
            raise InvalidInputError("all namespaces together have no common past; choose one above, or look at now")
        return self.site.registry.all()

    @property
    def may_edit(self) -> bool:
        """Whether forms are offered: not of the past, not of all namespaces, not where nothing may be written."""
        return self.namespace != ALL and not self.registry.read_only and self.registry.role in ("writer", "owner")

    @cached_property
    def done_commit(self) -> int | None:
        """The commit that the address says was just made here; None if it was not made by who looks."""
        text = self.query.get("done", "")
        if not self.may_edit or not text.isdecimal() or len(text) > 18:
            return None
        events = self.registry.audit(since=int(text) - 1, until=int(text)).dicts() if int(text) else []
        return int(text) if events and events[0]["actor"] == self.registry.actor else None

    def text(self, name: str) -> str | None:
        """A parameter that is not blank; None = there is none."""
        return self.query.get(name, "").strip() or None

    def texts(self, name: str) -> list[str]:
        """All values of a parameter that are not blank, each once."""
        return list(dict.fromkeys(each for each in map(str.strip, self.query.getlist(name)) if each))

    def whole(self, name: str, usual: int, most: int = 10**9) -> int:
        """A parameter that is a whole number from 0 to `most`.

        Raises:
            InvalidInputError: it is none.
        """
        text = self.text(name)
        if text is None:
            return usual
        if not text.isdecimal() or len(text) > 18 or int(text) > most:
            raise InvalidInputError(f"{name} is {text[:40]!r}; write a whole number, 0 to {most:,}")
        return int(text)

    # --- where it leads -----------------------------------------------------------------------------------------------

    def link(self, path: str, /, **query: Parameter) -> str:
        """The address of another page, of the same namespace and moment.

        Args:
            path: from the root; ids in it need no quoting.
            query: parameters; None = without it, a list = each once, True = 1.
        """
        kept = {name: self.query.get(name) or None for name in KEPT}
        return _address(path, {**kept, **query})

    def here(self, **query: Parameter) -> str:
        """This address with other parameters."""
        return self.there(self.path, **query)

    def there(self, path: str, /, **query: Parameter) -> str:
        """The address of another page with the parameters of this one, but for those that are given."""
        own: dict[str, Parameter] = {name: self.query.getlist(name) for name in self.query if name != "done"}
        return _address(path, {**own, **query})

    def own(self, path: str, namespace: str, /, **query: Parameter) -> str:
        """The address of a page of a thing in that namespace."""
        shown = None if namespace == self.site.registry.namespace_name else namespace
        return self.link(path, **{"namespace": shown, **query})

    # --- answers ------------------------------------------------------------------------------------------------------

    def page(self, template: str, *, title: str, status: int = 200, **told: Any) -> Response:
        """An HTML page.

        Args:
            template: its file in `templates/`.
            title: of the window.
            status: of HTTP.
            told: what the template shows.
        """
        return HTMLResponse(rendered(template, view=self, title=title, **told), status)

    def done(self, commit: int | None, path: str, /, **query: Parameter) -> Response:
        """After a change: the page that shows it, where it can be undone.

        Args:
            commit: that was made; None = nothing had to be changed.
            path: of the page.
            query: its parameters.
        """
        return RedirectResponse(self.link(path, **query, done=commit if commit is not None else "nothing"), 303)

    def seen(self, path: str, /, **query: Parameter) -> Response:
        """After something that was no change of the registry: the page that shows what came of it."""
        return RedirectResponse(self.link(path, **query), 303)


def _address(path: str, query: Mapping[str, Parameter]) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        if value is None or value is False:
            continue
        texts = [str(int(value)) if isinstance(value, int) else value] if isinstance(value, str | int) else value
        pairs += [(name, text) for text in texts]
    return f"{path}?{urlencode(pairs)}" if pairs else path
