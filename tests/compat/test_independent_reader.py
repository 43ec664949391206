"""The format is what FORMAT.md says: a reader made from it alone gives the library's answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import localreg
from localreg.errors import LocalregError
from localreg.log.parquet import decode, encode
from localreg.session import Changes
from tests.compat import independent_reader, scenario
from tests.compat.independent_reader import Namespace

FILLER = 60
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "registry"
    scenario.build(folder, filler=FILLER).close()
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(made, tmp_path / "registry"))


def log_of(folder: Path) -> Path:
    return folder / "namespaces/default/log"


def entry(folder: Path, commit: int) -> Path:
    return log_of(folder) / f"{commit:020d}.parquet"


def without_caches(folder: Path) -> Path:
    for cache in ("snapshots", "history"):
        shutil.rmtree(folder / "namespaces/default" / cache, ignore_errors=True)
    return folder


def independent_answers(folder: Path) -> dict[str, Any]:
    namespace = Namespace(folder)
    return {
        "commit": namespace.audit[-1]["commit"],
        "models": namespace.models(),
        "audit": [
            {key: ({"namespace": "default"} | event)[key] for key in scenario.AUDIT_COLUMNS}
            for event in namespace.audit
        ],
        "inferences": namespace.inferences(scenario.NAME),
        "test_cases": {case: [list(pair) for pair in namespace.ground_truths(case)] for case in ("day", "night")},
        "loaded": {case: loaded(namespace, case) for case in ("day", "night")},
        "ground_truths": sorted(
            (
                {"test_case": case.name, "file": sample["file"], "text": truth["text"]}
                for case in namespace.of("test_case")
                for sample, truth in namespace.ground_truths(case.name)
            ),
            key=lambda row: tuple(row.values()),
        ),
    }


def loaded(namespace: Namespace, case: str) -> list[Any]:
    made = {str(row["sample"]): row["inference"] for row in namespace.inferences(scenario.NAME)}
    return [[sample, made[str(sample)]] for sample, _ in namespace.ground_truths(case)]


def library_answers(folder: Path) -> dict[str, Any]:
    with localreg.open(folder, read_only=True) as registry:
        return scenario.answers(registry)


# --- the same answers -------------------------------------------------------------------------------------------------


def test_the_independent_reader_imports_nothing_of_localreg() -> None:
    code = "import sys; from tests.compat import independent_reader; print([m for m in sys.modules if 'localreg' in m])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.strip() == "[]"


def test_the_registry_has_what_the_test_is_for(made: Path) -> None:
    assert len(list(log_of(made).iterdir())) > 64
    assert list((made / "namespaces/default/snapshots").glob("*.parquet"))
    details = [row.record["details"] for row in Namespace(made).of("file")]
    assert any(part["first"] > part["staged_first"] for part in details), "no part was shifted"
    assert {row["status"] for row in Namespace(made).inferences(scenario.NAME)} == {"ok", "skipped"}


def test_both_readers_give_the_same_answers(made: Path) -> None:
    assert independent_answers(made) == library_answers(made)


def test_the_log_alone_gives_the_same_answers_as_the_snapshots(folder: Path) -> None:
    with_snapshots = library_answers(folder)
    assert library_answers(without_caches(folder)) == with_snapshots


# --- damage -----------------------------------------------------------------------------------------------------------

ALTERATIONS: list[tuple[bytes, bytes]] = [
    (b'"actor":"ana"', b'"actor":"eve"'),
    (b'"tags":["detector"]', b'"tags":["detektor"]'),
    (b'"seed":9223372036854775809', b'"seed":9223372036854775808'),
    (b'"effect":"put"', b'"effect":"pot"'),
    (b'"after":{', b'"After":{'),
]


@pytest.mark.parametrize(("old", "new"), ALTERATIONS, ids=[old.decode() for old, _ in ALTERATIONS])
def test_an_altered_byte_of_an_entry_is_noticed_by_both(folder: Path, old: bytes, new: bytes) -> None:
    data = entry(folder, 1).read_bytes()
    assert old in data
    entry(folder, 1).write_bytes(data.replace(old, new, 1))
    with pytest.raises(AssertionError, match="altered"):
        Namespace(folder)
    with localreg.open(folder, read_only=True) as registry:
        assert [problem.code for problem in registry.verify().problems] == ["entry_altered"]
    with pytest.raises(LocalregError, match="altered"):
        library_answers(without_caches(folder))


def test_events_cut_off_the_newest_entry_are_noticed_by_both(folder: Path) -> None:
    path = sorted((folder / "namespaces/default/log").glob("*.parquet"))[-1]
    with localreg.open(folder) as registry, registry.transaction():
        registry.create_model("one more")
        registry.create_model("and another")
    newest = path.with_name(f"{int(path.stem) + 1:020d}.parquet")
    newest.write_bytes(encode(decode(newest.read_bytes(), name="")[:1]))
    with pytest.raises(AssertionError, match="altered"):
        Namespace(folder)
    with localreg.open(folder, read_only=True) as registry:
        assert [problem.code for problem in registry.verify().problems] == ["entry_altered"]


def test_swapped_entries_are_noticed_by_both(folder: Path) -> None:
    one, other = entry(folder, 20), entry(folder, 22)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    with pytest.raises(AssertionError, match="altered"):
        Namespace(folder)
    with localreg.open(folder, read_only=True) as registry:
        assert "entry_swapped" in [problem.code for problem in registry.verify().problems]


def test_an_altered_part_is_noticed_by_both(folder: Path) -> None:
    part = next((folder / "namespaces/default/data/inferences").rglob("*.parquet"))
    data = bytearray(part.read_bytes())
    data[60] ^= 1
    part.write_bytes(data)
    with pytest.raises(AssertionError, match="altered"):
        Namespace(folder).inferences(scenario.NAME)
    with localreg.open(folder, read_only=True) as registry:
        assert [problem.code for problem in registry.verify().problems] == ["file_altered"]


# --- entries written by others ----------------------------------------------------------------------------------------


def _dictionaries(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd", use_dictionary=True, data_page_version="2.0")


def _one_row_group_a_row(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, row_group_size=1, compression="snappy", write_statistics=True)


def _odd_types_and_order(table: pa.Table, path: Path) -> None:
    columns = {name: table[name] for name in reversed(table.column_names)}
    columns["record"] = columns["record"].cast(pa.large_string())
    columns["commit"] = columns["commit"].cast(pa.int32())
    columns["signature"] = pa.nulls(table.num_rows, pa.string())
    columns["actor"] = pa.array(["a column for people"] * table.num_rows)
    pq.write_table(pa.table(columns).replace_schema_metadata({"made": "elsewhere"}), path, compression="gzip")


def _delta_encoded(table: pa.Table, path: Path) -> None:
    encodings = {"record": "DELTA_BYTE_ARRAY", "digest": "DELTA_LENGTH_BYTE_ARRAY", "event": "DELTA_BINARY_PACKED"}
    pq.write_table(table, path, use_dictionary=False, column_encoding=encodings)


@pytest.mark.parametrize("write", [_dictionaries, _one_row_group_a_row, _odd_types_and_order, _delta_encoded])
def test_entries_in_other_encodings_are_read_the_same(folder: Path, write: Callable[[pa.Table, Path], None]) -> None:
    expected = library_answers(folder)
    for path in log_of(folder).iterdir():
        write(pq.read_table(path, partitioning=None), path)
    assert library_answers(without_caches(folder)) == expected
    assert independent_answers(folder) == expected
    with localreg.open(folder) as registry:
        assert registry.verify().ok
        registry.create_model("the next commit chains on a foreign entry")
    assert Namespace(folder).audit[-1]["action"] == "create"


def _empty_payloads(path: Path) -> None:
    table = pq.read_table(path, partitioning=None)
    place = table.column_names.index("payload")
    pq.write_table(table.set_column(place, "payload", pa.array([""] * table.num_rows)), path)


def test_a_redaction_twin_still_chains_for_both(folder: Path) -> None:
    commit = 15
    expected = library_answers(folder)
    for event in expected["audit"]:
        if event["commit"] == commit:
            event.update(before=None, after=None, message=None)
    _empty_payloads(entry(folder, commit))
    assert library_answers(without_caches(folder)) == expected
    assert independent_answers(folder) == expected
    with localreg.open(folder) as registry:
        assert [problem.code for problem in registry.verify().problems] == ["payload_missing"]

        def redact(changes: Changes) -> None:
            row = changes.draft.children("namespace")[0]
            changes.note(row, action="redact", details={"events": [[commit, 1]]})

        registry._session.change(redact)
        assert registry.verify().ok
    assert Namespace(folder).audit[-1]["details"] == {"events": [[commit, 1]]}


def test_a_redacted_record_is_a_stub_with_id_and_name_for_both(folder: Path) -> None:
    with localreg.open(folder) as registry:
        registry.create_model("secret 7", metadata={"password": "hunter2"})
        commit = registry.commit
    _empty_payloads(entry(folder, commit))
    assert Namespace(folder).models()["secret 7"]["metadata"] == {}
    assert library_answers(without_caches(folder))["models"]["secret 7"]["metadata"] == {}
    assert b"hunter2" not in b"".join(path.read_bytes() for path in folder.rglob("*.parquet"))


# --- time -------------------------------------------------------------------------------------------------------------


def test_at_a_time_is_by_running_maximum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = [f"2026-01-01T00:00:{second:02d}.000000Z" for second in (10, 30, 20, 40)]
    clock = iter(times)
    monkeypatch.setattr("localreg.log.publish.now", lambda: next(clock))
    with localreg.open(tmp_path / "registry") as registry:
        for number in range(len(times)):
            registry.create_model(f"m{number}")
        audit = Namespace(tmp_path / "registry").audit
        for second in (5, 10, 15, 20, 25, 30, 35, 40):
            time = f"2026-01-01T00:00:{second:02d}.000000Z"
            maxima = {
                event["commit"]: max(e["time"] for e in audit if e["commit"] <= event["commit"]) for event in audit
            }
            expected = max((commit for commit, maximum in maxima.items() if maximum <= time), default=0)
            assert registry.at(time=time).commit == expected


def test_the_reader_runs_as_a_program(made: Path) -> None:
    command = [sys.executable, independent_reader.__file__, str(made)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == library_answers(made)["models"]
