"""No message that reaches a shell tells its reader to write Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import localreg
from localreg.cli.wording import for_shell

PACKAGE = Path(localreg.__file__).parent
PYTHON = re.compile(
    r"\b\w+=(True|False|None)\b|\bdatetime\.\w|\b(localreg|registry)\.\w+|\b\w+_mode=|\bstorage_options\b"
    r"|\b(use|create_\w+|update|at|open)\(|aware datetime|\bread_only\b|\btime="
)
FOR_PROGRAMS = {
    "api.py": "`use`, and arguments of the wrong type",
    "cards/": "code that a card shows",
    "definitions/worker/": "the program of a model's process",
    "audit/redact.py": "the command says what may be given together",
    "session/session.py": "arguments that the command line does not combine",
    "tables/": "dataclasses",
    "workflow/": "dataclasses' workflows",
    "metrics/": "arguments of functions",
    "tasks/": "ready-made tasks' classes",
    "detection/": "ready-made tasks' classes",
    "classification/": "ready-made tasks' classes",
    "fr/": "ready-made tasks' classes",
}
"""Modules, and packages of such, whose hints no command can meet, and what they are about."""


def texts(tree: ast.AST) -> Iterator[str]:
    """The texts of a module that are no docstrings, with a value in the place of each `{…}`."""
    passed = set[int]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) or (isinstance(node, ast.Constant) and id(node) in passed):
            passed.add(id(getattr(node, "value", node)))
        elif isinstance(node, ast.JoinedStr):
            passed.update(map(id, node.values))
            yield "".join(_filled(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _filled(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    return "'single-writer'" if isinstance(part, ast.FormattedValue) and part.conversion == ord("r") else "12"


def hints() -> set[tuple[str, str]]:
    """Module and text of each hint."""
    return {
        (str(path.relative_to(PACKAGE)), text)
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in {"cli", "testing", "__init__.py", "pytest_plugin.py"}
        for text in texts(ast.parse(path.read_text(encoding="utf-8")))
        if " " in text and PYTHON.search(text)
    }


def test_hints_for_programs_are_told_as_a_shell_takes_them() -> None:
    found = hints()
    assert len(found) > 20
    told = {(module, for_shell(text)) for module, text in found if not module.startswith(tuple(FOR_PROGRAMS))}
    assert [each for each in sorted(told) if PYTHON.search(each[1])] == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("choose another name, or pass exist_ok=True", "choose another name, or pass --exist-ok"),
        ("pass force=True to delete them, too", "pass --force to delete them, too"),
        (
            "no registry at x; check the path, or open it without read_only to make one",
            "no registry at x; check the path, or make one with `localreg init`",
        ),
        ("can be read with localreg.open(..., offline=True)", "can be read with --offline"),
        ("say commit_mode='single-writer'", "say `localreg init --commit-mode single-writer`"),
        (
            "write an aware datetime, such as datetime.now(UTC), or text such as 2026-03-31T12:00:00Z",
            "write a time such as 2026-03-31T12:00:00Z",
        ),
        ("`registry.resolve(commit_id, commit=7)` tells", "`localreg resolve COMMIT_ID` tells"),
        (
            "not evaluated yet; call evaluate()",
            "not evaluated yet; evaluate it in Python, with `localreg.workflow.test`",
        ),
        ("and no evaluator is named; pass evaluator=, too", "and no evaluator is named; pass --evaluator, too"),
        (
            "pass strict=False, and look at .coverage for how many there are",
            "leave out --strict, or rank with --lenient",
        ),
        ("no interval but by bootstrap; pass bootstrap=2000", "no interval but by bootstrap; pass --bootstrap 2000"),
        ("say score_of='predicted' or score_of='positive'", "say --score-of predicted or --score-of positive"),
        ("say which one is positive, as positive='a b'", "say which one is positive, as --positive 'a b'"),
        ("or say which with better= when you compare", "or say which by --better METRIC=lower"),
        (
            "better['s'] is 'x'; it must be 'higher' or 'lower'",
            "--better of 's' is 'x'; it must be 'higher' or 'lower'",
        ),
        ("bins is 1; write a whole number, 2 or more", "--bins is 1; write a whole number, 2 or more"),
        ("score_of is 'x'; it must be one", "--score-of is 'x'; it must be one"),
        ("a metric: compare(…, evaluator=…)", "a metric: --evaluator NAME"),
        (
            "n is 0; give the number of samples to infer again",
            "--samples is 0; give the number of samples to infer again",
        ),
        ("batch_size is 0; it must be", "--batch-size is 0; it must be"),
        ("timeout_s is -1; it must be", "--timeout is -1; it must be"),
        ("If it needs longer, pass timeout_s=", "If it needs longer, pass --timeout"),
        ("no model 'exist_ok=True'", "no model 'exist_ok=True'"),
    ],
)
def test_what_is_told(said: str, told: str) -> None:
    assert for_shell(said) == told
