"""A registry of format 1 with signers, void entries, an import and garbage is kept, and opened for ever.

`format_1_2026_11_features/` was made once, by `make_format_1.py`, of `features`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import Registry
from tests.compat import features
from tests.compat.everything import in_order
from tests.compat.features import NAMESPACES
from tests.compat.independent_reader import Namespace
from tests.compat.kept import answers, unpacked
from tests.signing import key_file

FOLDER = Path(__file__).parent / "format_1_2026_11_features"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return unpacked(FOLDER, tmp_path)


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return answers(FOLDER)


def assert_answers(registry: Registry, expected: dict[str, Any]) -> None:
    said = json.loads(json.dumps(features.answers(registry)))
    for name, rows in expected.pop("tables").items():
        columns = rows[0].keys() if rows else ()
        assert in_order([{column: row[column] for column in columns} for row in said["tables"][name]]) == rows, name
    assert {name: said[name] for name in expected} == expected
    report = registry.verify()
    assert report.ok, str(report)
    assert [void.commit for void in report.void] == expected["void"]


@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("is_bare", [False, True], ids=["as it is", "without its caches"])
def test_it_is_read_as_it_was_written(folder: Path, namespace: str, is_bare: bool, expected: dict[str, Any]) -> None:
    for path in [*folder.rglob("snapshots/*"), *folder.rglob("history/*")] if is_bare else ():
        path.unlink()
    with localreg.open(folder, namespace=namespace, read_only=True) as registry:
        assert_answers(registry, {**expected[namespace]})


def test_it_has_what_it_is_kept_for(expected: dict[str, Any]) -> None:
    signed, imported, tidied = (expected[name] for name in NAMESPACES)
    assert [row["name"] for row in signed["tables"]["signers"]] == ["ana"]
    assert len(signed["void"]) == 2
    assert {row["action"] for row in imported["tables"]["audit_events"]} >= {"import"}
    assert len(tidied["condemned"]) == 1


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_this_release_goes_on_writing_there(folder: Path, tmp_path: Path, namespace: str) -> None:
    key = key_file(tmp_path, "ana")
    with localreg.open(folder, namespace=namespace, actor="ana", signing_key=key) as registry:
        registry.create_model("of today")
        registry.snapshot()
        assert registry.verify().ok
    with localreg.open(folder, namespace=namespace) as registry:
        assert registry.find_model("of today") is not None


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_the_independent_reader_finds_the_same(folder: Path, namespace: str, expected: dict[str, Any]) -> None:
    read, said = Namespace(folder, namespace), expected[namespace]
    assert sorted(read.models()) == sorted(row["name"] for row in said["tables"]["models"])
    assert read.void == said["void"]
    last = max(said["tables"]["audit_events"], key=lambda row: (row["commit"], row["event"]))
    assert read.digest == last["digest"]
