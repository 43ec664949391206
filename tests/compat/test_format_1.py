"""Registries of every released format are kept and opened for ever.

`format_1/` was made once, by `make_format_1.py`; what it holds stands beside it as JSON.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import localreg
from tests.compat import scenario
from tests.compat.independent_reader import Namespace
from tests.compat.kept import answers, unpacked
from tests.compat.test_independent_reader import independent_answers, without_caches

FOLDER = Path(__file__).parent / "format_1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return unpacked(FOLDER, tmp_path)


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    said = answers(FOLDER)
    del said["localreg"]
    return said


def test_the_registry_of_format_1_is_read_as_it_was_written(folder: Path, expected: dict[str, Any]) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with localreg.open(folder, read_only=True) as registry:
        assert scenario.answers(registry) == expected
        report = registry.verify()
        assert report.ok, str(report)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_it_has_a_snapshot_and_a_tail_and_reads_the_same_without(folder: Path, expected: dict[str, Any]) -> None:
    snapshots = sorted((folder / "namespaces/default/snapshots").glob("*.parquet"))
    assert 0 < int(snapshots[-1].stem) < expected["commit"]
    with localreg.open(without_caches(folder), read_only=True) as registry:
        assert scenario.answers(registry) == expected


def test_the_independent_reader_gives_the_same(folder: Path, expected: dict[str, Any]) -> None:
    assert independent_answers(folder) == expected


def test_this_release_goes_on_writing_where_that_one_stopped(folder: Path, expected: dict[str, Any]) -> None:
    with localreg.open(folder) as registry, localreg.use(registry):
        suite = scenario.TestSuite("plates")
        more = scenario.TestCase("more", test_samples=[scenario.plate(number) for number in (9, 11)])
        scenario.TestSuite("plates", test_cases=[*suite.test_cases, more], reset=True)
        registry.get_model(scenario.NAME).set_alias("production", "1")
        assert registry.verify().ok
        assert registry.at(commit=expected["commit"]).get_model(scenario.NAME).resolve("production").version == "2"
    namespace = Namespace(folder)
    assert namespace.models()[scenario.NAME]["aliases"] == {"production": "1"}
    assert [sample["file"] for sample, _ in namespace.ground_truths("more")] == ["9.png", "11.png"]
    assert namespace.inferences(scenario.NAME) == expected["inferences"]
