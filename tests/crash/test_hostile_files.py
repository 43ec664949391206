"""Whatever lies in a registry's folder, opening it gives an answer or an error of ours, in bounded time and memory.

The visitor (`tests/crash/visitor.py`) does all that there is to do; what it answers about a spoilt registry is either
what it answers about the whole one, or `verify` tells.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import localreg
from localreg import LocalregError
from localreg.log.entry import Change, Provenance
from localreg.names import new_id
from localreg.records.files import FilePointer
from localreg.storage.protection import protection_of
from localreg.storage.whole import LARGEST_JSON, read_whole
from tests.compat.kept import unpacked
from tests.compat.test_format_1_everything import FOLDER
from tests.crash.forks import Program, forking
from tests.crash.hostile import PLACES, SHAPES, namespace_of, put
from tests.crash.visitor import Outcome
from tests.thorough import THOROUGH

MOST_BYTES = 1 << 30
"""Of memory that a visit may take, most of which is what it has loaded."""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="about pipes, links and limits of POSIX")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(FOLDER, tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "registry"))


@pytest.fixture(scope="module")
def program() -> Iterator[Program]:
    # What is bounded is address space, of which DuckDB's allocator would keep what it once had.
    with forking("tests.crash.visitor", DUCKDB_JE_MALLOC_CONF="retain:false,dirty_decay_ms:0") as program:
        yield program


def visit(program: Program, folder: Path, beside: Path, manner: str = "writing") -> dict[str, Outcome]:
    """What came of each act; none was a hang, a crash, a foreign exception, or took more memory than there is."""
    with program.child(str(folder), str(beside), manner) as child:
        outcomes = [Outcome(*json.loads(line)) for line in child.rest()]
    assert child.code == 0, f"it ended by {child.code} after {[each.act for each in outcomes][-1:]}"
    foreign = [each for each in outcomes if each.how not in ("answered", "refused")]
    assert not foreign
    said = {each.act: each for each in outcomes}
    memory = int(said.pop("memory").words.strip("'"))
    assert memory < MOST_BYTES
    return said


@pytest.fixture(scope="module")
def whole(template: Path, program: Program, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What is said of the registry as it was."""
    said = visit(program, template, tmp_path_factory.mktemp("beside"), "once")
    assert {each.how for each in said.values()} == {"answered"}
    return said


CACHES = ("the hint", "the newest snapshot", "a history segment")
BESIDE = ("a stray file of the log", "the mark of protection", "the lease", "the queue's lock")
BULK = ("a part of samples", "a part of inferences", "a part of plots", "an artifact")
LOG = ("the registry's file", "the first entry", "the newest entry", "the next entry", "an entry ahead")
HARMLESS = ("commit", "model", "sql models", "sql inferences", "sql audit_events", "download", "history")
ENDLESS = ("a pipe", "a link to /dev/zero", "a sparse terabyte")


@pytest.mark.parametrize("shape", [*ENDLESS, "a folder", "a link to itself"])
def test_nothing_that_stands_in_the_place_of_a_cache_does_harm(
    folder: Path, shape: str, program: Program, whole: dict[str, Outcome], tmp_path: Path
) -> None:
    for place in (*CACHES, *BESIDE):
        put(SHAPES[shape], PLACES[place](folder))
    said = visit(program, folder, tmp_path)
    for act in HARMLESS:
        assert said[act] == whole[act]


@pytest.mark.parametrize("shape", [*ENDLESS, "a socket"])
def test_what_stands_in_the_place_of_bulk_files_is_told(
    folder: Path, shape: str, program: Program, whole: dict[str, Outcome], tmp_path: Path
) -> None:
    """Named for a bug: `verify` hashed a terabyte of holes, and a download read it into memory."""
    for place in BULK:
        put(SHAPES[shape], PLACES[place](folder))
    said = visit(program, folder, tmp_path)
    assert said["sql models"] == whole["sql models"]
    assert said["sql inferences"].how == "refused"
    assert said["verify"] == Outcome("verify", "answered", "False")


@pytest.mark.slow
@pytest.mark.parametrize("place", LOG)
@pytest.mark.parametrize("shape", ENDLESS)
def test_what_stands_in_the_place_of_an_entry_is_refused(
    folder: Path, place: str, shape: str, program: Program, whole: dict[str, Outcome], tmp_path: Path
) -> None:
    """Named for a bug: a pipe made opening wait for ever, and a link to /dev/zero filled the memory."""
    put(SHAPES[shape], PLACES[place](folder))
    said = visit(program, folder, tmp_path)
    wrong = [each for each in said.values() if each.how == "answered" and whole.get(each.act, each) != each]
    assert not wrong or said["verify"].how == "refused" or said["verify"].words == "False"


@pytest.mark.parametrize("place", [place for place in PLACES if place.startswith("the folder of")])
def test_a_file_in_the_place_of_a_folder_is_refused_or_harmless(
    folder: Path, place: str, program: Program, whole: dict[str, Outcome], tmp_path: Path
) -> None:
    put(Path.touch, PLACES[place](folder))
    said = visit(program, folder, tmp_path)
    if place in ("the folder of snapshots", "the folder of history", "the folder of staged files"):
        for act in HARMLESS:
            assert said[act] == whole[act]


# --- files that unpack to more than there is --------------------------------------------------------------------------


def swell(path: Path, column: str, rows: int) -> None:
    """A file of some kilobytes whose texts in one column are 50 MB each."""
    table = pq.read_table(path, partitioning=None)
    rows = rows or table.num_rows
    places = pa.array([0] * rows, pa.int32())
    text = pa.DictionaryArray.from_arrays(places, pa.array(["a" * 50_000_000]))
    columns = {
        name: text if name == column else table[name].combine_chunks().take(places) for name in table.schema.names
    }
    options: Any = {"dictionary_pagesize_limit": 1 << 28, "use_dictionary": [column], "store_schema": False}
    made = pa.table(columns).replace_schema_metadata(table.schema.metadata)
    pq.write_table(made, path, compression="zstd", **options)
    assert path.stat().st_size < 100_000


@pytest.mark.slow
def test_a_part_that_unpacks_to_a_hundred_gigabytes_is_refused_and_told(
    folder: Path, program: Program, whole: dict[str, Outcome], tmp_path: Path
) -> None:
    swell(PLACES["a part of plots"](folder), "name", 2_000)
    said = visit(program, folder, tmp_path)
    assert said["sql plots"].how == "refused"
    assert said["sql inferences"] == whole["sql inferences"]
    assert said["verify"] == Outcome("verify", "answered", "False")


@pytest.mark.slow
def test_a_segment_of_history_that_unpacks_to_gigabytes_is_passed_over(
    folder: Path, program: Program, whole: dict[str, Outcome], tmp_path: Path
) -> None:
    """Though its name fits its bytes."""
    path = PLACES["a history segment"](folder)
    swell(path, "message", 0)
    digest = sha256(path.read_bytes()).hexdigest()[:32]
    path.rename(path.with_name(f"{path.name.rpartition('-')[0]}-{digest}.parquet"))
    said = visit(program, folder, tmp_path)
    for act in HARMLESS:
        assert said[act] == whole[act] or said[act].how == "refused"


# --- whole files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["a pipe", "a link to /dev/zero", "a sparse terabyte"])
def test_what_is_no_file_is_told_before_it_is_read(tmp_path: Path, shape: str) -> None:
    SHAPES[shape](tmp_path / "x")
    with pytest.raises(LocalregError, match=str(tmp_path / "x")) as caught:
        read_whole(str(tmp_path / "x"))
    assert caught.value.code == ("too_large" if shape == "a sparse terabyte" else "no_file")


def test_a_json_file_of_ours_is_small(folder: Path) -> None:
    with (folder / "localreg.json").open("a") as file:
        file.write(" " * LARGEST_JSON)
    with pytest.raises(LocalregError, match=r"localreg\.json: it has more than") as caught:
        localreg.open(folder)
    assert caught.value.code == "too_large"


DEEP = "[" * 200_000


@pytest.mark.parametrize(
    "said", [DEEP, '{"group": ' + DEEP, "[]", '{"group": "x", "members": [], "others": {}}', '"x"', "\xff"]
)
def test_a_mark_of_protection_that_says_nonsense_is_none(folder: Path, said: str) -> None:
    """Named for a bug: deep JSON was a RecursionError, and a list in the place of a word a TypeError."""
    mark = PLACES["the mark of protection"](folder)
    mark.write_text(said, encoding="latin-1")
    assert protection_of(str(namespace_of(folder))) is None
    assert localreg.open(folder, actor="ana").create_model("next")


@pytest.mark.parametrize("group", ["a\0b", "9" * 5_000, "", "-1"])
def test_a_group_that_is_none_is_no_group(folder: Path, group: str) -> None:
    mark = PLACES["the mark of protection"](folder)
    mark.write_text(json.dumps({"group": group, "members": "read", "others": "none"}))
    protection = protection_of(str(namespace_of(folder)))
    assert protection is not None
    assert protection.gid is None
    assert localreg.open(folder).doctor()


@pytest.mark.parametrize("place", ["the registry's file", "the hint", "the lease"])
@pytest.mark.parametrize("said", [DEEP, '{"path":' * 5_000, '{"a": ' + "9" * 100_000 + "}", "\\ud800"])
def test_deep_json_and_endless_numbers_are_refused_or_harmless(folder: Path, place: str, said: str) -> None:
    PLACES[place](folder).write_text(said)
    if place == "the registry's file":
        with pytest.raises(LocalregError, match=r"localreg\.json"):
            localreg.open(folder)
    else:
        assert localreg.open(folder).commit > 80


# --- what an entry may say --------------------------------------------------------------------------------------------


def publish(folder: Path, change: Change) -> None:
    """An entry that the chain holds together, whatever it says."""
    session = localreg.open(folder)._session
    assert session.log.publish(session.state().head, [change], Provenance("eve", "host"), new_id())


GOOD: dict[str, Any] = {
    "path": "data/events/x/y.parquet",
    "table": "events",
    "owner": "0" * 32,
    "rows": 1,
    "bytes": 1,
    "sha256": "0" * 64,
    "details": {},
}
BAD: list[dict[str, Any]] = [
    *({"path": path} for path in ("../../../../etc/passwd", "/etc/passwd", "data/../../x", "a\\b", "a//b", "", ".")),
    *({"path": path} for path in ("data/x\0y", "data/x\ny", "C:\\x", 5, None, ["x"])),
    *({key: value} for key in ("rows", "bytes") for value in (-1, 2**70, "x", 1.5, True, None)),
    *({key: 5} for key in ("table", "owner", "sha256", "details")),
    *({"details": {key: value}} for key in ("first", "staged_first") for value in (-1, "x", None)),
    {"details": {"workflow": 5}},
    {"details": {"columns": 5}},
    {"details": {"segments": [["x"]]}},
]


@pytest.mark.parametrize("fields", BAD, ids=str)
def test_a_pointer_that_leads_elsewhere_or_says_nonsense_refuses_its_entry(
    folder: Path, fields: dict[str, Any]
) -> None:
    """Named for a bug: a path that was a list was a TypeError of whoever opened the registry."""
    publish(folder, Change("model", "upload", "0" * 32, "m", files=(FilePointer(**{**GOOD, **fields}),)))
    for act in (lambda: localreg.open(folder).commit, lambda: localreg.open(folder).create_model("next")):
        with pytest.raises(LocalregError, match="a pointer to a file has the") as caught:
            act()
        assert caught.value.code == "entry_torn"
    assert [problem.code for problem in localreg.open(folder).verify().problems] == ["entry_torn"]


@pytest.mark.parametrize("fields", [{"details": 5}, {"after": 5}, {"before": [1], "after": {}}], ids=str)
def test_an_event_that_says_no_records_refuses_its_entry(folder: Path, fields: dict[str, Any]) -> None:
    publish(folder, Change("model", "update", "0" * 32, "m", **fields))
    with pytest.raises(LocalregError, match="says no records"):
        assert localreg.open(folder).commit


# --- many files -------------------------------------------------------------------------------------------------------


def test_stray_files_cost_an_opening_and_a_commit_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: no folder is listed."""
    localreg.open(folder, actor="ana").snapshot()

    def list_nothing(*_: object) -> Any:
        raise AssertionError("a folder was listed")

    monkeypatch.setattr(os, "scandir", list_nothing)
    monkeypatch.setattr(os, "listdir", list_nothing)
    with localreg.open(folder, actor="ana") as opened:
        assert opened.get_model("worse").update(metadata={"a": 1}).metadata == {"a": 1}
        assert opened.create_model("next").versions() == []


@pytest.mark.slow
def test_looking_after_a_folder_with_many_stray_files_is_bounded(
    folder: Path, program: Program, tmp_path: Path
) -> None:
    for place in ("log", "tmp", "snapshots", "history", "data", "artifacts/00"):
        (namespace_of(folder) / place).mkdir(parents=True, exist_ok=True)
        for number in range(5_000):
            (namespace_of(folder) / place / f"junk {number}").touch()
    said = visit(program, folder, tmp_path)
    assert said["verify"].words == "False"
    assert said["create"].how == "answered"


def reached(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Folders that an opening, a look, and a commit list."""
    listed: list[str] = []
    scandir, listdir = os.scandir, os.listdir

    def scanned(path: Any = ".") -> Any:
        listed.append(str(path))
        return scandir(path)

    def named(path: Any = ".") -> Any:
        listed.append(str(path))
        return listdir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scanned)
        patch.setattr(os, "listdir", named)
        with localreg.open(folder, actor="ana") as opened:
            assert opened.get_model("worse").update(metadata={"a": 1}).metadata == {"a": 1}
    return [each for each in listed if each.startswith(str(folder))]  # Python lists those of its modules


@pytest.mark.slow
def test_many_stray_files_are_not_listed_and_bounded_where_they_are(
    folder: Path, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    localreg.open(folder, actor="ana").snapshot()
    for place in ("log", "tmp", "data"):
        for number in range(333_334 if THOROUGH else 33_334):
            os.close(os.open(namespace_of(folder) / place / f"junk {number}", os.O_CREAT | os.O_WRONLY))
    assert reached(folder, monkeypatch) == []
    said = visit(program, folder, tmp_path)  # in bounded memory: `verify`, `doctor` and all else
    assert said["verify"].words == "False"
    assert said["create"].how == "answered"
    with localreg.open(folder, actor="ana") as opened:
        assert opened.gc().dry_run
