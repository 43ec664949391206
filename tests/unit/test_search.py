"""`search`, `facets` and the listings of each kind."""

from __future__ import annotations

import itertools
import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import localreg
from localreg import InvalidInputError, Registry
from localreg.policies import Action, Label
from localreg.query.bulk_tables import BULK
from localreg.query.search import Term, terms
from localreg.query.tables import TABLES
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, test
from tests.definitions import write_model
from tests.listings import check_page
from tests.signing import key_file, public_text


@dataclass(frozen=True)
class Photo(TestSample):
    file: str


@dataclass(frozen=True)
class Truth(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    label: str


def found(registry: Registry, search: str, **more: Any) -> list[str]:
    return [row["name"] for row in registry.models(search=search, **more)]


# --- what a search means ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("search", "meant"),
    [
        ("", []),
        (" \t\n", []),
        ("night yolor", [("night", True), ("yolor", True)]),
        ('"night owl"', [("night owl", True)]),
        ('-night -"night owl" day', [("night", False), ("night owl", False), ("day", True)]),
        ('"-night"', [("-night", True)]),
        ("-", [("-", True)]),
        ("yolor-d6", [("yolor-d6", True)]),
        ('5" tall', [('5"', True), ("tall", True)]),
        ('"open end', [('"open', True), ("end", True)]),
        ('"a"b', [('"a"b', True)]),
        ('""', [('""', True)]),
    ],
)
def test_a_search_is_words_phrases_and_what_must_not_occur(search: str, meant: list[tuple[str, bool]]) -> None:
    assert terms(search) == [Term(*each) for each in meant]


@pytest.fixture
def shelf(registry: Registry) -> Registry:
    """Models that differ in where a word stands."""
    registry.create_model("Night Owl", tags=["detector", "a b"], description='a "quoted" \\ line\nfeed')
    registry.create_model("yolor-D6", metadata={"notes": "at NIGHT", "optim": {"lr": 0.001, "steps": [10, 20]}})
    registry.create_model("Zoë", owner="night", task="night", metadata={"détail": {"clé": None}})
    registry.create_model("plain", metadata={"path": "C:\\new", "tab": "x\ty", "bell": "\x07", "on": True})
    return registry


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("", ["Night Owl", "yolor-D6", "Zoë", "plain"]),
        ("night", ["Night Owl", "yolor-D6"]),
        ("IGH", ["Night Owl", "yolor-D6"]),
        ("night owl", ["Night Owl"]),
        ("owl night", ["Night Owl"]),
        ('"night owl"', ["Night Owl"]),
        ('"owl night"', []),
        ("night -owl", ["yolor-D6"]),
        ("-night", ["Zoë", "plain"]),
        ('-"night owl" night', ["yolor-D6"]),
        ("night yolor", ["yolor-D6"]),
        ("zoe", ["Zoë"]),
        ("ZOË", ["Zoë"]),
        ("détail", ["Zoë"]),
        ("detail CLE", ["Zoë"]),
        ("detector", ["Night Owl"]),
        ('"a b"', ["Night Owl"]),
        ("quoted", ["Night Owl"]),
        ('"quoted"', ["Night Owl"]),
        ("0.001", ["yolor-D6"]),
        ("optim", ["yolor-D6"]),
        ("true", ["plain"]),
        # Only what people wrote, not how it is recorded:
        ("metadata", []),
        ("former_names", []),
        ("archived", []),
        ("false", []),
        ("{", []),
        (":", ["plain"]),
        (",", []),
        ("10,20", []),
        ("[10", []),
        # Escapes of JSON are no text, and what is escaped is found:
        ('" line"', ["Night Owl"]),
        ("nfeed", []),
        ('"line\nfeed"', ["Night Owl"]),
        ("feed", ["Night Owl"]),
        ("\\", ["Night Owl", "plain"]),
        ("c:\\new", ["plain"]),
        ("\\n", ["plain"]),
        ("\\\\", []),
        ("0007", []),
        ("u0007", []),
        ("ty", []),
        # Patterns are plain text:
        ("%", []),
        ("_", []),
        (".", ["yolor-D6"]),
        ("n.ght", []),
        ("(?i)", []),
        ("'", []),
    ],
)
def test_a_search_finds_the_models_that_hold_every_word(shelf: Registry, search: str, names: list[str]) -> None:
    assert found(shelf, search) == names
    assert found(shelf, search, limit=2) == names[:2]


def test_a_word_of_any_length_is_looked_for_to_its_end(registry: Registry) -> None:
    registry.create_model("ü" * 200 + "x")
    registry.create_model("U" * 200 + "x y")
    assert found(registry, "u" * 200 + "X") == ["ü" * 200 + "x", "U" * 200 + "x y"]
    assert found(registry, "u" * 200 + "y") == []
    assert found(registry, '"' + "u" * 200 + 'x y"') == ["U" * 200 + "x y"]


def test_a_search_goes_with_where_order_and_limit(shelf: Registry) -> None:
    assert found(shelf, "night", where="metadata.optim.lr < 0.1") == ["yolor-D6"]
    assert found(shelf, "night", where="name = 'Zoë' OR true") == ["Night Owl", "yolor-D6"]
    assert found(shelf, "night", order_by="name DESC", limit=1) == ["yolor-D6"]
    assert found(shelf, "night", limit=0) == []


def test_a_search_that_cannot_be_is_refused(shelf: Registry) -> None:
    for odd in (5, ["night"], b"night", "\ud800", "a\x1fb"):
        with pytest.raises(InvalidInputError, match="search"):
            shelf.models(search=odd)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=r"search has 1,001 characters, more than 1,000"):
        shelf.models(search="x" * 1_001)
    with pytest.raises(InvalidInputError, match="no texts to search; use where"):
        shelf.facets("model_metrics", by="metric", search="night")


def test_a_search_sees_what_is_renamed_and_changed_behind_a_snapshot(shelf: Registry) -> None:
    for number in range(70):
        shelf.get_model("plain").update(metadata={"round": f"lap{number}"})
    shelf.get_model("Night Owl").rename("Day Owl")
    assert found(shelf, "lap69") == ["plain"]
    assert found(shelf, "lap68") == []
    assert found(shelf, "day owl") == ["Day Owl"]
    assert found(shelf, "night") == ["yolor-D6"]


# --- beside an oracle -------------------------------------------------------------------------------------------------

PIECES = [
    *("night", "Night", "nïght", "n", "é", "e\u0301", "E", "ß", "日本", "K", "\u212a", "я", "Й"),
    *("\\", '"', "\n", "\\n", "u0007", "\x07", " ", "{", "}", ":", ",", "[", "1", "null", "true", "-", "%", ".*"),
]
TEXTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map("".join)
JSON = st.recursive(
    st.one_of(TEXTS, st.integers(-20, 20), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
_stores = itertools.count()
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=3)


def folded(text: str) -> str:
    """As DuckDB does it, by Python's own means."""
    parts = unicodedata.normalize("NFD", text.lower())
    return unicodedata.normalize("NFC", "".join(part for part in parts if unicodedata.category(part)[0] != "M"))


def leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *leaves(item))]
    if isinstance(value, list):
        return [text for item in value for text in leaves(item)]
    return [value if isinstance(value, str) else json.dumps(value)]


@settings(max_examples=50)
@given(st.lists(st.tuples(OBJECTS, st.one_of(st.none(), TEXTS)), min_size=1, max_size=4), st.lists(TEXTS, max_size=2))
def test_a_search_finds_what_a_walk_over_the_metadata_finds(
    given_models: list[tuple[dict[str, Any], str | None]], words: list[str]
) -> None:
    words = [word for word in words if "\x07" not in word and word.strip() == word and word]
    search = " ".join(f'"{word}"' if any(map(str.isspace, word)) and '"' not in word else word for word in words)
    registry = localreg.open(f"memory://searched-{next(_stores)}")
    with registry.transaction():
        for number, (metadata, description) in enumerate(given_models):
            description = None if description is None else description.replace("\x07", "")
            registry.create_model(f"m{number}", metadata=metadata, description=description, exist_ok=True)
    expected = []
    for number, (metadata, description) in enumerate(given_models):
        texts = [folded(each) for each in (f"m{number}", *leaves(metadata), (description or "").replace("\x07", ""))]
        fits = [any(folded(term.text) in text for text in texts) is term.wanted for term in terms(search)]
        if all(fits):
            expected.append(f"m{number}")
    assert found(registry, search) == expected


# --- each kind --------------------------------------------------------------------------------------------------------


@pytest.fixture
def tested(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Two of each kind."""
    _, case_class, suite_class, model_class = define_workflow("plates", Photo, Truth, Guess)
    pairs = [(Photo("1.png"), Truth("cat")), (Photo("2.png"), Truth("dog")), (Photo("3.png"), Truth("cat"))]
    case = case_class("night case", description="dark", test_samples=pairs)
    case_class("day case", test_samples=pairs[:1])
    suite = suite_class("night suite", test_cases=[case], tags=["nightly"], description="all that is dark")
    suite_class("day suite")
    test(model_class("yolor", lambda photo: Guess("cat") if photo.file < "3" else None), suite)
    registry.compare("yolor", "yolor", suite=suite).save("yolor against itself")
    registry.get_model("yolor").create_version("2", metadata={"note": "for the NIGHT"}, description="second")
    registry.create_model("other", metadata={"framework": "jax"}).create_version("rc").set_metrics({"loss": 1})
    registry.add_policy("convert", Action(run="os:getcwd", on="tag"))
    registry.add_policy("good ones", Label(when="metrics.loss < 1", tag="good"))
    registry.get_model("yolor").version("2").tag("once").tag("twice")
    for name in ("one", "two"):
        path = write_model(tmp_path / name, name, answer=name)
        registry.push(path)
    for name in ("first try", "second try"):
        with registry.experiment(name) as experiment:
            experiment.log({"loss": 0.5})
            experiment.event("begin")
            experiment.upload(b"", name="weights")
            experiment.checkpoint(b"", step=1)
            experiment.add_dataset("s3://plates/night", role="train")
    registry.grant("ana", "owner")
    registry.grant("*", "owner")
    monkeypatch.setenv("LOCALREG_SIGNING_KEY", str(key_file(tmp_path, "ana")))
    for name in ("ana", "ben"):
        registry.add_signer(name, public_text(name))
    return registry


def test_every_table_of_records_has_a_listing_with_the_same_arguments(tested: Registry) -> None:
    for table in (name for name, each in TABLES.items() if each.has_ids):
        listing = getattr(tested, table)
        every = listing().dicts()
        assert len(every) == len(tested.sql(f"FROM {table}")) > 0
        assert listing().columns == list(TABLES[table].columns)
        assert listing(limit=1).dicts() == every[:1]
        assert listing(order_by="created_at DESC", limit=1).dicts() == every[-1:]
        assert listing("id = 'none'").dicts() == []
        assert listing(where=f"id = '{every[0]['id']}'").dicts() == every[:1]
        assert listing(search="no such word").dicts() == []
        with pytest.raises(InvalidInputError, match="no column 'nmae'"):
            listing(where="nmae = 'x'")


def test_a_page_of_every_table_is_what_its_listing_is(tested: Registry) -> None:
    for table in [*TABLES, *(name for name, each in BULK.items() if each.order)]:
        searches = ("night", "null", "-2", "e") if table in TABLES and TABLES[table].searched else ()
        for search in (None, *searches):
            check_page(tested, table, facets=["namespace"], search=search, offset=1)


def test_each_listing_searches_its_texts(tested: Registry) -> None:
    def ids(listing: Any, search: str, column: str) -> list[str]:
        return [row[column] for row in listing(search=search)]

    assert ids(tested.model_versions, "night", "version") == ["2"]
    assert ids(tested.model_versions, "yolor second", "version") == ["2"]
    assert ids(tested.model_versions, "framework jax", "version") == ["rc"], "the model's metadata counts"
    assert ids(tested.workflows, "PLATE", "name") == ["plates"]
    assert ids(tested.test_cases, "dark", "name") == ["night case"]
    assert ids(tested.test_suites, "nightly", "name") == ["night suite"]
    assert ids(tested.test_suites, '"that is"', "name") == ["night suite"]
    assert ids(tested.test_runs, "yolor night", "test_suite") == ["night suite"]
    assert ids(tested.test_runs, "yolor -night", "test_suite") == []
    tested.get_model("other").update(metadata={"framework": "old"}).version("rc").update(metadata={"framework": "new"})
    assert ids(tested.model_versions, "old", "version") == [], "what is overlaid does not count"


# --- facets -----------------------------------------------------------------------------------------------------------


def counted(registry: Registry, table: str, by: str, **more: Any) -> list[tuple[Any, int]]:
    return [(row["value"], row["count"]) for row in registry.facets(table, by, **more)]


@pytest.fixture
def counts(registry: Registry) -> Registry:
    said: list[Any] = ["jax", "jax", "torch", 7, "7", None, ["jax", "torch", "jax"], [], {"a": 1}, True, 1.0]
    for number, framework in enumerate(said):
        registry.create_model(f"m{number}", metadata={"framework": framework}, tags=["x", "y"][: number % 3])
    registry.create_model("without", owner="ana").archive()
    return registry


def test_facets_of_a_path_keep_the_types_and_count_each_item_of_a_list_once_a_row(counts: Registry) -> None:
    told = counted(counts, "models", "metadata.framework")
    assert told[:3] == [("jax", 3), (None, 3), ("torch", 2)]
    assert sorted(map(repr, told[3:])) == sorted(map(repr, [(7, 1), ("7", 1), ({"a": 1}, 1), (True, 1), (1, 1)]))
    assert counts.facets("models", "metadata.framework").columns == ["value", "count"]


def test_facets_of_lists_and_columns(counts: Registry) -> None:
    assert counted(counts, "models", "tags") == [("x", 7), (None, 5), ("y", 3)]
    assert counted(counts, "models", "owner") == [(None, 11), ("ana", 1)]
    assert counted(counts, "models", "owner", archived=False) == [(None, 11)]
    assert counted(counts, "models", "owner", archived=True) == [("ana", 1)]
    assert counted(counts, "models", "len(tags)", limit=1) == [(0, 5)]
    assert counted(counts, "models", "tags", where="metadata.framework = 'jax'") == [("x", 1), (None, 1)]
    assert counted(counts, "models", "tags", search="torch") == [("x", 1), ("y", 1), (None, 1)]
    assert counted(counts, "models", "metadata['framework']", limit=0) == []
    assert counts.facets("models", "metadata.nothing").dicts() == [{"value": None, "count": 12}]


def test_facets_of_every_documented_table(tested: Registry) -> None:
    for table in (*TABLES, *BULK):
        total = sum(count for _, count in counted(tested, table, "namespace"))
        assert total == tested.sql(f"SELECT count(*) AS n FROM {table}")[0]["n"], table
        # Which only face recognition, and evaluators, fill.
        assert total > 0 or table in ("embeddings", "metric_values", "sample_metrics", "plots"), table
    assert counted(tested, "inferences", "status") == [("ok", 2), ("skipped", 1)]
    assert counted(tested, "ground_truths", "ground_truth.label", where="test_case = 'night case'") == [
        ("cat", 2),
        ("dog", 1),
    ]
    assert counted(tested, "audit_events", "action", where="kind = 'test_run'") == [("create", 1)]


@pytest.mark.parametrize(
    ("table", "by", "message"),
    [
        ("modles", "tags", r"no table 'modles'; did you mean 'models'"),
        (5, "tags", "no table 5; tables: models"),
        ("models", "tgas", "no column 'tgas' in models; did you mean 'task'"),
        ("models", "tags, owner", "more than one expression; write one column"),
        ("models", "tags DESC", "more than one expression"),
        ("models", "tags NULLS FIRST", "more than one expression"),
        ("models", "1", "a constant is the same for every row"),
        ("models", "count(*)", "over many rows|stand for many"),
        ("models", "(SELECT 1)", "subquery"),
        ("models", "", "it is empty"),
        ("models", 5, "it must be text"),
    ],
)
def test_facets_that_cannot_be_are_refused(counts: Registry, table: Any, by: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        counts.facets(table, by)
    assert counted(counts, "models", "archived") == [(False, 11), (True, 1)]


def test_nothing_can_be_archived_in_a_table_without_that_column(counts: Registry) -> None:
    with pytest.raises(InvalidInputError, match="nothing in model_versions can be archived"):
        counts.facets("model_versions", "model", archived=False)
    with pytest.raises(InvalidInputError, match="archived is 'yes'; write True"):
        counts.models(archived="yes")  # type: ignore[arg-type]
