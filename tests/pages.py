"""The page without a server: requests to the application, answers as elements."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlencode, urljoin

from localreg import Registry
from localreg.ui.app import make_app
from localreg.ui.safety import FORM_TOKEN, Keys

__all__ = ["HOST", "Answer", "Browser", "Node"]

HOST = "127.0.0.1:8642"


VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


@dataclass
class Node:
    """An element, and what stands in it."""

    tag: str
    attributes: Mapping[str, str]
    children: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text in it, with single spaces."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for each in self.children:
            yield from [each] if isinstance(each, str) else each._texts()

    def walk(self) -> Iterator[Node]:
        """It, and all elements in it."""
        yield self
        for each in self.children:
            if isinstance(each, Node):
                yield from each.walk()

    def all(self, tag: str = "", /, **attributes: str) -> list[Node]:
        """Elements of a name in it with these attributes, `class_` for `class`, of which one is enough."""
        wanted = {key.rstrip("_").replace("_", "-"): text for key, text in attributes.items()}
        return [
            each
            for each in self.walk()
            if tag in ("", each.tag) and all(each._has(name, text) for name, text in wanted.items())
        ]

    def _has(self, name: str, text: str) -> bool:
        own = self.attributes.get(name)
        return own is not None and (own == text or (name in ("class", "rel") and text in own.split()))

    def one(self, tag: str = "", /, **attributes: str) -> Node:
        """The only such element."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes} in {self.text[:2000]}"
        return found[0]

    def fields(self) -> dict[str, str]:
        """What a form would send as it stands."""
        told = {}
        for each in self.walk():
            name = each.attributes.get("name")
            if name is None or (each.attributes.get("type") == "checkbox" and "checked" not in each.attributes):
                continue
            if each.tag == "select":
                options = each.all("option")
                chosen = next((one for one in options if "selected" in one.attributes), options[0])
                told[name] = chosen.attributes["value"]
            elif each.tag == "textarea":
                told[name] = "".join(each._texts()).removeprefix("\n")
            elif each.tag == "input":
                told[name] = each.attributes.get("value", "")
        return told


class _Parser(HTMLParser):
    """Strict: what is opened has to be closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Node("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"an attribute of <{tag}> is given twice: {attrs}"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        last = self._open.pop()
        assert last.tag == tag, f"</{tag}> ends <{last.tag}> {last.attributes}"

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    address: str
    """Path and query that were asked for last."""

    @property
    def text(self) -> str:
        return self.body.decode()

    @cached_property
    def page(self) -> Node:
        """The document, as elements."""
        assert self.headers["content-type"] == "text/html; charset=utf-8", self.text
        parser = _Parser()
        parser.feed(self.text)
        parser.close()
        assert parser._open == [parser.root], f"<{parser._open[-1].tag}> is not closed"
        return parser.root

    @property
    def main(self) -> Node:
        """The page without what all pages have."""
        return self.page.one("main")


class Browser:
    """Asks the pages of a registry, as a browser without scripts does."""

    def __init__(self, registry: Registry, **options: Any) -> None:
        self.keys = options.pop("keys", None) or Keys()
        self.app = make_app(registry, keys=self.keys, hosts=options.pop("hosts", {HOST}), **options)

    def submit(self, form: Node, **fields: Any) -> Answer:
        """Send a form of a page, with some of its fields filled in."""
        method = form.attributes.get("method", "get")
        told: dict[str, Any] = {**form.fields(), **fields}
        path = form.attributes["action"]
        return self.post(path, told) if method == "post" else self.get(path, **told)

    def get(self, path: str, /, **query: Any) -> Answer:
        """Look at an address; parameters may be lists."""
        return self.ask(f"{path}?{urlencode(query, doseq=True)}" if query else path)

    def ask(self, address: str, *, follow: bool = True, headers: Mapping[str, str] | None = None) -> Answer:
        """Look at an address as it stands, with headers of one's own."""
        return self._followed(self._call("GET", address, headers or {}, b""), follow)

    def failing(self, address: str) -> Answer:
        """Look at a page that fails with an exception, which a server would write to its terminal."""
        return self._call("GET", address, {}, b"", fails=True)

    def post(
        self,
        path: str,
        fields: Mapping[str, str | Sequence[str]],
        *,
        follow: bool = True,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        """Send a form, as a page of ours would."""
        own = {FORM_TOKEN: self.keys.form if token is None else token, **fields}
        sent = {"origin": f"http://{HOST}", "content-type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._followed(self._call("POST", path, sent, urlencode(own, doseq=True).encode()), follow)

    def _followed(self, answer: Answer, follow: bool) -> Answer:
        while follow and answer.status == 303:
            answer = self._call("GET", urljoin(answer.address, answer.headers["location"]), {}, b"")
        return answer

    def _call(
        self, method: str, address: str, headers: Mapping[str, str], body: bytes, *, fails: bool = False
    ) -> Answer:
        path, _, query = address.partition("?")
        given = {"host": HOST, **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},  # which lets streams end by themselves
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), text.encode("latin-1")) for name, text in given.items()],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8642),
        }
        sent: list[Any] = []

        asked = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return asked.pop() if asked else await asyncio.Future()  # it stays connected

        async def send(message: Any) -> None:
            sent.append(message)

        with suppress(Exception) if fails else nullcontext():
            asyncio.run(self.app(scope, receive, send))
        start = next(each for each in sent if each["type"] == "http.response.start")
        told = {name.decode(): text.decode("latin-1") for name, text in start["headers"]}
        whole = b"".join(each.get("body", b"") for each in sent if each["type"] == "http.response.body")
        return Answer(start["status"], told, whole, address)
