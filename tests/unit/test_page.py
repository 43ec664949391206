"""`page`: what it gives is what the listings and `facets` give, however the rows come."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import localreg
from localreg import InvalidInputError, Registry
from localreg.query import kept
from localreg.query.engine import RECORDS
from localreg.query.kept import Kept, kinds_read
from localreg.query.tables import TABLES
from localreg.registry import AllNamespaces
from tests.listings import FACETS, check_page

_stores = itertools.count()

NIGHT: dict[str, Any] = {"framework": "jax", "optim": {"lr": 0.1}, "notes": 'at "NIGHT", a\\b\n', "seeds": [1, 2, 1]}
METADATA: list[dict[str, Any]] = [
    NIGHT,
    {"framework": None, "Zoë": "clé", "optim": {"lr": 2}},
    {"framework": ["jax", "torch", "jax"], "e\u0301tude": {"night": ["owl", {"x:y": "{}"}]}},
    {"framework": 7, "optim": {"lr": "0.1"}, "bell": "\x07n", "path": "C:\\new"},
    {"framework": "7", "null": None, "off": False},
    {"framework": []},
    {},
    {"framework": {"a": 1}, "optim": [0.1]},
]
NAMES = ["Night Owl", "yolor-D6", 'a "quoted" one', "Zoë", "Zoe\u0301", "back\\slash", "plain", "日本, {K}"]


@pytest.fixture
def shelf(registry: Registry) -> Registry:
    """Models of all that is hard to count or to find, one of them archived, some changed behind a snapshot."""
    with registry.transaction():
        for number, (name, metadata) in enumerate(zip(NAMES, METADATA, strict=True)):
            model = registry.create_model(name, metadata=metadata, tags=["a b", "night", "ï", "x"][: number % 5])
            model.update(owner=["ana", "ben", None][number % 3], description=[None, "null", "-dark: night"][number % 3])
    registry.snapshot()
    registry.get_model("plain").archive()
    registry.get_model("Zoë").create_version("1").set_metrics({"loss": 0.5})
    registry.get_model("Zoë").set_alias("production", "1")
    registry.get_model("yolor-D6").rename("yolor-d7")
    return registry


WHERES = [
    None,
    "metadata.framework = 'jax'",
    "metadata.framework IS NULL",
    "metadata.optim.lr > 0.05",
    "'night' IN tags AND owner = 'ana'",
    "list_contains(metadata.framework, 'torch')",
    "name = 'a \"quoted\" one'",
    "latest_version = '1'",
    "false",
]
SEARCHES = [
    *(None, "", "night", "NÏGHT", "zoe", "-night", '"night owl"', '-"night owl"', "a\\b", '"NIGHT",', '"', "\\", "n"),
    *("null", "false", "true", "{}", "{", ":", "x:y", "K", "0.1", "lr 0.1", "clé detail", '"a b"', "日本", "u0007"),
    *("ï", 'quoted" one', '"quoted" one', "-", "--dark", "seeds", "[1", "1,2", "\u0301", "metadata", "framework jax"),
]
ORDERS: list[Any] = [None, "name", "name DESC", "metadata.optim.lr DESC", ["owner", "metadata.framework NULLS FIRST"]]


QUESTIONS = [
    *((None, search) for search in SEARCHES),
    *itertools.product(WHERES, ("night", "-zoe n")),
]


def test_a_page_is_what_the_listing_and_the_facets_are(shelf: Registry) -> None:
    for number, (where, search) in enumerate(QUESTIONS):
        asked: dict[str, Any] = {"where": where, "search": search, "archived": None}
        if where is not None:
            asked["archived"] = (None, True, False)[number % 3]
        facets = [FACETS[number % len(FACETS)], FACETS[number % 3]]
        cut: dict[str, Any] = {"limit": 1 + number % 4, "offset": number % 2}
        check_page(shelf, "models", facets=facets, order_by=ORDERS[number % 5], **cut, **asked)


def test_a_page_of_all_namespaces_has_the_rows_of_all(shelf: Registry) -> None:
    shelf.namespace("vision").create_model("night owl", metadata=NIGHT)
    shelf.namespace("audio").create_model("night", tags=["x"])
    for search, order in ((None, None), ("night -x", None), (None, "name DESC"), ("night -x", "metadata.optim.lr")):
        check_page(shelf.all(), "models", facets=["namespace", "tags"], search=search, order_by=order)
    assert shelf.all().page("models", "name = 'night'", facets="namespace").facets["namespace"].dicts() == [
        {"value": "audio", "count": 1}
    ]
    assert isinstance(shelf.all(), AllNamespaces)


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


@settings(max_examples=20)
@given(st.lists(st.dictionaries(TEXTS, JSON, max_size=3), min_size=1, max_size=4), st.lists(TEXTS, max_size=2))
def test_a_page_finds_what_a_listing_finds(given_metadata: list[dict[str, Any]], words: list[str]) -> None:
    registry = localreg.open(f"memory://paged-{next(_stores)}")
    with registry.transaction():
        for number, metadata in enumerate(given_metadata):
            registry.create_model(f"m{number}", metadata=metadata)
    keys = sorted({key for metadata in given_metadata for key in metadata})
    facets = [f"metadata['{key}']" for key in keys if key.isprintable()]
    check_page(registry, "models", facets=["metadata", *facets])
    words = [word for word in words if word.isprintable()]  # nothing else may be searched for
    for search in (" ".join(words), f'"{" ".join(words)}"', f"-{'-'.join(words)}"):
        check_page(registry, "models", search=search, facets=[])


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_a_page_has_so_many_rows_from_there_on(shelf: Registry) -> None:
    names = [row["name"] for row in shelf.models(archived=None)]
    for limit, offset in itertools.product((None, 0, 1, 3, 99), (0, 1, 7, 8, 99)):
        for order_by, listed in ((None, names), ("name", sorted(names))):
            page = shelf.page("models", order_by=order_by, limit=limit, offset=offset)
            assert [row["name"] for row in page.rows] == listed[offset:][:limit]
            assert page.total == len(names)
    assert shelf.page("models", "false", facets="tags").facets["tags"].dicts() == []


def test_a_facet_has_so_many_values(shelf: Registry) -> None:
    for most in (None, 0, 1, 2):
        page = shelf.page("models", facets=["tags", "len(tags)"], most=most)
        assert list(page.facets) == ["tags", "len(tags)"]
        for by, counts in page.facets.items():
            assert counts.dicts() == shelf.facets("models", by, limit=most).dicts()
    many = [f"metadata.k{number}" for number in range(2 * kept.MOST_FACETS)]
    assert list(shelf.page("models", facets=many).facets) == many


# --- one state --------------------------------------------------------------------------------------------------------


def test_a_page_shows_each_commit_of_this_and_other_processes(shelf: Registry, other: Registry) -> None:
    acts: list[Callable[[], object]] = [
        lambda: shelf.create_model("new", tags=["x"]),
        lambda: other.get_model("new").tag("night"),
        lambda: other.get_model("new").rename("newer"),
        lambda: shelf.get_model("newer").create_version("7"),
        lambda: shelf.get_model("newer").set_alias("a", "7"),
        lambda: shelf.get_model("newer").delete(force=True),
        lambda: other.undo(other.commit),
        lambda: shelf.grant("ana", "owner"),
    ]
    check_page(shelf, "models")
    for act in acts:
        act()
        check_page(shelf, "models", facets=["tags", "aliases"], order_by="updated_at DESC")
        check_page(shelf, "model_versions", facets=["model"])


def test_a_page_in_a_transaction_shows_what_it_has_done(shelf: Registry) -> None:
    with shelf.transaction():
        shelf.create_model("inside")
        assert shelf.page("models", search="inside").total == 1
        shelf.get_model("inside").tag("x")
        assert shelf.page("models", search="inside", facets="tags").facets["tags"].dicts() == [
            {"value": "x", "count": 1}
        ]
    assert shelf.at(commit=0).page("models").total == 0


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables that were kept, each time anew."""
    tables: list[str] = []
    make = Kept.__init__

    def noted(self: Kept, database: Any, table: str, size: int) -> None:
        tables.append(table)
        make(self, database, table, size)

    monkeypatch.setattr(Kept, "__init__", noted)
    return tables


def test_rows_are_kept_as_long_as_the_state_is_shown(shelf: Registry, made: list[str]) -> None:
    for search in ("night", "owl", None):
        shelf.page("models", search=search, facets=FACETS)
    shelf.models().dicts()
    assert made == ["models"]
    shelf.grant("ana", "owner")
    assert shelf.page("models", facets="tags").total == len(NAMES)
    assert made == ["models"], "no model is another one by that"
    shelf.create_model("one more")
    assert shelf.page("models").total == len(NAMES) + 1
    assert made == ["models", "models"]
    shelf.snapshot()
    shelf.get_model("one more").delete()
    assert shelf.page("models").total == len(NAMES)


@pytest.mark.parametrize("table", sorted(RECORDS))
def test_what_other_kinds_do_does_not_show_in_a_table(table: str) -> None:
    sql, kinds = TABLES[table].sql, kinds_read(table)
    if kinds is None:
        assert table in {"artifacts", "datasets", "pending_actions", "lineage", "ancestors", "policies"}
    else:
        records = sql.count("localreg_internal.records")
        assert records == sql.count("kind = '") + sql.count("kind IN (")
        assert all(f"'{kind}'" in sql for kind in kinds)


def test_what_is_too_large_to_be_kept_is_answered_all_the_same(
    shelf: Registry, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_ROWS", len(NAMES) - 1)
    for search, order in (("night", None), ("-owl", "name DESC"), (None, None), (None, "metadata.optim.lr")):
        check_page(shelf, "models", facets=FACETS[:3], search=search, order_by=order, offset=2)
    assert made == []
    check_page(shelf, "audit_events", facets=["kind", "details"], order_by="name")
    assert made == []


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"table": "modles"}, "no table 'modles'; did you mean 'models'"),
        ({"table": []}, r"no table \[\]"),
        ({"table": "inferences"}, "inferences have no listing.* ask SQL for them, with ORDER BY"),
        ({"where": "nmae = 'x'"}, "no column 'nmae' in models; did you mean 'name'"),
        ({"where": "CAST(name AS INTEGER) = 1"}, "cannot use where 'CAST"),
        ({"order_by": "CAST(name AS INTEGER)"}, "cannot use order_by 'CAST"),
        ({"order_by": "1"}, "a constant orders nothing"),
        ({"search": 5}, "search"),
        ({"archived": "yes"}, "archived is 'yes'; write True"),
        ({"limit": -1}, "limit.* whole number"),
        ({"limit": "many"}, "limit.* or None for all"),
        ({"offset": -1}, "offset.* whole number"),
        ({"offset": None}, "offset.* whole number"),
        ({"most": 1.5}, "most.* whole number"),
        ({"facets": 5}, "facets is of type int; pass a list of columns"),
        ({"facets": [5]}, "it must be text"),
        ({"facets": [["tags"]]}, "it must be text"),
        ({"facets": ["tags", "tgas"]}, "no column 'tgas'"),
        ({"facets": ["CAST(name AS INTEGER)"]}, "cannot use by 'CAST"),
        ({"facets": ["seed"], "where": "owner = 'ana'"}, "no column 'seed'"),
    ],
)
def test_what_cannot_be_is_refused_as_by_the_listing(shelf: Registry, wrong: dict[str, Any], message: str) -> None:
    for _ in range(2):
        with pytest.raises(InvalidInputError, match=message):
            shelf.page(**{"table": "models", **wrong})
        assert shelf.page("models").total == len(NAMES)


def test_the_error_of_a_page_is_that_of_the_listing(shelf: Registry) -> None:
    vision = shelf.namespace("vision")
    vision.create_model("no number")
    for where in ("CAST(name AS INTEGER) = 1", "metadata.x = "):
        with pytest.raises(InvalidInputError) as of_listing:
            vision.models(where, order_by="owner").dicts()
        with pytest.raises(InvalidInputError) as of_page:
            vision.page("models", where, order_by="owner")
        assert str(of_page.value) == str(of_listing.value)


def test_a_facet_that_is_computed_is_computed_of_the_rows_that_fit_alone(shelf: Registry) -> None:
    shelf.create_model("42")
    by = "CAST(name AS INTEGER)"
    page = shelf.page("models", "name = '42'", facets=by)
    assert page.facets[by].dicts() == [{"value": 42, "count": 1}]


def test_every_table_of_records_is_known(shelf: Registry) -> None:
    for table in TABLES:
        check_page(shelf, table, facets=["namespace"])
