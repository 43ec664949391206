"""The commands that pages tell: each can be typed as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import Registry
from localreg.cli.app import command
from localreg.ui.pages import tested
from tests.pages import Browser

TEMPLATES = Path(localreg.__file__).parent / "ui" / "templates"
PATHS = ("/", "/compare", "/suites", "/cases", "/workflows", "/runs", "/experiments", "/artifacts", "/events", "/audit")


def leads_somewhere(words: list[str]) -> None:
    """Whether the command line has such a command, with such arguments and options."""
    node: Any = command()
    assert words.pop(0) == "localreg"
    if words[:1] == ["-r"]:
        del words[:2]
    if words[:1] == ["-n"]:
        del words[:2]
    while hasattr(node, "commands"):
        name = words.pop(0)
        found = node.commands.get(name)
        assert found is not None, f"there is no command {name}"
        node = found
    if words:
        node.make_context("localreg", words)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("namespace", [None, "vision"])
def test_commands_of_empty_pages_can_be_typed(registry: Registry, path: str, namespace: str | None) -> None:
    asked = {} if namespace is None else {"namespace": namespace}
    page = Browser(registry).get(path, **asked).main
    told = [each.text for each in page.all("pre") if each.text.startswith("localreg ")]
    for line in told:
        words = shlex.split(line)
        assert words[:3] == ["localreg", "-r", registry.uri]
        assert (words[3:5] == ["-n", "vision"]) is (namespace is not None)
        leads_somewhere(words)
    assert told or path in ("/workflows", "/events", "/experiments", "/audit")


def test_other_commands_in_templates_are_there() -> None:
    texts = "\n".join(path.read_text() for path in TEMPLATES.glob("*.html"))
    texts = re.sub(r"\{\{.*?\}\}", "X", texts)
    for line in re.findall(r"<code>(localreg [^<]+)</code>", texts):
        words = shlex.split(line)
        node: Any = command()
        for word in [each for each in words[1:] if each not in ("-r", "-n", "X")]:
            if not hasattr(node, "commands"):
                break
            node = node.commands.get(word)
            assert node is not None, line
    for kind in tested.KINDS:
        if kind.step.startswith("localreg "):
            leads_somewhere(shlex.split(kind.step))
