"""Lineage: from the data over experiments, checkpoints and versions to test runs, and back."""

from __future__ import annotations

import random
from dataclasses import dataclass

import duckdb
import pytest

from localreg import ModelVersion, NotFoundError, Registry, Result
from localreg.artifacts import Artifact
from localreg.experiments import Checkpoint, Experiment
from localreg.query.lineage import closure, reached
from localreg.workflow import GroundTruth, Inference, TestSample, define_workflow, test


@dataclass(frozen=True)
class Photo(TestSample):
    file: str


@dataclass(frozen=True)
class Label(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    label: str


@dataclass(frozen=True)
class Chain:
    rows: Artifact
    experiment: Experiment
    checkpoint: Checkpoint
    version: ModelVersion


@pytest.fixture
def chain(registry: Registry) -> Chain:
    """One of each link."""
    model = registry.create_model("m")
    model.add_dataset("s3://bucket/night", role="eval")
    with registry.experiment("e", code=False) as experiment:
        rows = experiment.upload(b"rows", name="rows.csv")
        experiment.add_dataset(rows, role="train", name="rows")
        checkpoint = experiment.checkpoint(b"w", step=3)
    version = checkpoint.promote(model, "1")
    version.upload(b"c", name="card.md")
    _, case_class, suite_class, model_class = define_workflow("w", Photo, Label, Guess)
    suite = suite_class("plates", test_cases=[case_class("c", test_samples=[(Photo("1"), Label("a"))])])
    test(model_class("m", lambda photo: Guess("a")), suite)
    return Chain(rows, experiment, checkpoint, version)


def told(edges: Result) -> list[tuple[object, ...]]:
    return [tuple(row[key] for key in ("depth", "source", "relation", "target")) for row in edges]


def test_a_version_shows_the_chain_from_its_data_to_its_test_runs(chain: Chain) -> None:
    assert told(chain.version.lineage()) == [
        (-4, "rows.csv", "holds", "rows"),
        (-3, "rows", "trains", "e"),
        (-2, "e", "saves", "e: step 3"),
        (-1, "night", "evaluates", "m@1"),
        (-1, "e: step 3", "becomes", "m@1"),
        (1, "m@1", "keeps", "card.md"),
        (1, "m@1", "takes", "plates@1"),
    ]
    first = chain.version.lineage()[0]
    assert (first["source_kind"], first["source_id"], first["target_kind"]) == ("artifact", chain.rows.id, "dataset")
    assert chain.version.lineage().columns == [
        *("depth", "source_kind", "source_id", "source", "relation", "target_kind", "target_id", "target", "namespace")
    ]


def test_each_link_shows_its_own_side_of_it(registry: Registry, chain: Chain) -> None:
    assert told(chain.rows.lineage()) == [
        (1, "rows.csv", "holds", "rows"),
        (2, "rows", "trains", "e"),
        (3, "e", "saves", "e: step 3"),
        (4, "e: step 3", "keeps", "checkpoint"),
        (4, "e: step 3", "becomes", "m@1"),
        (5, "m@1", "keeps", "card.md"),
        (5, "m@1", "takes", "plates@1"),
    ]
    assert told(chain.version.get_dataset("night").lineage())[0] == (1, "night", "evaluates", "m@1")
    assert told(chain.experiment.lineage())[:3] == [
        (-2, "rows.csv", "holds", "rows"),
        (-1, "rows", "trains", "e"),
        (1, "e", "saves", "e: step 3"),
    ]
    assert [row["depth"] for row in chain.checkpoint.lineage()] == [-3, -2, -1, 1, 1, 2, 2]
    assert told(chain.checkpoint.content.lineage())[-1] == (-1, "e: step 3", "keeps", "checkpoint")
    run = registry.get_test_run(registry.test_runs()[0]["id"])
    assert told(run.lineage())[-2:] == [(-1, "m@1", "takes", "plates@1"), (-1, "plates@1", "asks", "plates@1")]


def test_a_models_data_lead_to_the_versions_that_have_none_of_that_name(registry: Registry) -> None:
    model = registry.create_model("m")
    first, second = model.create_version("1"), model.create_version("2")
    shared = model.add_dataset("s3://a/plates", role="train")
    own = second.add_dataset("s3://b/plates", role="train")
    assert [row["target"] for row in shared.lineage()] == ["m@1"]
    assert [row["source_id"] for row in second.lineage()] == [own.id]
    own.delete()
    assert [row["target"] for row in shared.lineage()] == ["m@1", "m@2"]
    assert [row["source_id"] for row in first.lineage()] == [shared.id]


def test_who_keeps_the_data_is_not_where_they_come_from(registry: Registry) -> None:
    version = registry.create_model("m").create_version("1")
    rows = version.upload(b"rows", name="rows")
    assert told(version.lineage()) == [(1, "m@1", "keeps", "rows")]
    made = version.add_dataset(rows, role="train")
    assert told(version.lineage()) == [(-2, "rows", "holds", "rows"), (-1, "rows", "trains", "m@1")]
    made.delete()
    assert told(version.lineage()) == [(1, "m@1", "keeps", "rows")]


def test_the_tables_hold_all_edges_and_their_closure(registry: Registry, chain: Chain) -> None:
    edges = registry.sql("FROM lineage").dicts()
    around = {(row["source_id"], row["target_id"]) for row in chain.version.lineage()}
    pairs = {(row["source_id"], row["target_id"]) for row in edges}
    assert len(pairs) == len(edges) == 9
    assert around < pairs
    assert {row["relation"] for row in edges} == {
        *("holds", "trains", "evaluates", "saves", "becomes", "takes", "asks", "keeps")
    }
    found = registry.sql("FROM ancestors").dicts()
    assert {(row["id"], row["ancestor_id"]): row["depth"] for row in found} == shortest(pairs)
    assert [(row["ancestor"], row["depth"]) for row in found if row["name"] == "card.md"] == [
        *[("m@1", 1), ("night", 2), ("e: step 3", 2)],
        *[("e", 3), ("rows", 4), ("rows.csv", 5)],
    ]
    trained = "SELECT DISTINCT name FROM ancestors WHERE kind = 'test_run' AND ancestor = 'rows'"
    assert registry.sql(trained).dicts() == [{"name": "plates@1"}]
    assert registry.facets("lineage", "relation", limit=1)[0] == {"value": "keeps", "count": 2}


def test_the_past_and_other_namespaces_have_their_own(registry: Registry, chain: Chain) -> None:
    model = registry.namespace("beside").create_model("m")
    model.add_dataset("s3://a/b", role="train")
    model.create_version("1")
    counted = registry.all().sql("SELECT namespace, count(*) AS n FROM lineage GROUP BY namespace ORDER BY n").dicts()
    assert counted == [{"namespace": "beside", "n": 1}, {"namespace": "default", "n": 9}]
    assert len(registry.all().sql("FROM ancestors WHERE namespace = 'beside'")) == 1
    commit = registry.commit
    chain.version.delete(force=True)
    assert len(registry.sql("FROM lineage")) == 4
    then = registry.at(commit=commit)
    assert len(then.get_version("m@1").lineage()) == 7
    with pytest.raises(NotFoundError, match="it was deleted"):
        chain.version.lineage()


def test_within_a_transaction_it_shows_what_that_did(registry: Registry, chain: Chain) -> None:
    with registry.transaction():
        chain.version.add_dataset("s3://a/new", role="train")
        assert (-1, "new", "trains", "m@1") in told(chain.version.lineage())


# --- the recursions, on any graph -------------------------------------------------------------------------------------

Pairs = set[tuple[str, str]]


def shortest(pairs: Pairs) -> dict[tuple[str, str], int]:
    """Each thing with each that it comes from, and how many steps that is."""
    found: dict[tuple[str, str], int] = {}
    for start in {target for _, target in pairs}:
        now, depth = {start}, 0
        while now:
            depth += 1
            now = {source for source, target in pairs if target in now and (start, source) not in found}
            found |= {(start, source): depth for source in now}
    return found


def graphs() -> list[Pairs]:
    chance = random.Random(7)
    ring = {("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("x", "b")}
    others = [
        {(chance.choice("abcdefgh"), chance.choice("abcdefgh")) for _ in range(chance.randrange(1, 16))}
        for _ in range(30)
    ]
    return [ring, {("a", "a")}, *others]


def test_rings_end_and_ways_are_the_shortest() -> None:
    for pairs in graphs():
        values = f"SELECT * FROM (VALUES {', '.join(map(str, pairs))}) e(source_id, target_id)"
        rows = duckdb.sql(f"WITH RECURSIVE {closure(values)} SELECT * FROM closure").fetchall()
        assert {(id, ancestor): depth for id, ancestor, depth in rows} == shortest(pairs), pairs
        assert len(rows) == len(shortest(pairs))


def test_what_hangs_together_with_a_thing_is_found_once_in_rings_too() -> None:
    for pairs in graphs():
        values = f"SELECT *, '' AS relation FROM (VALUES {', '.join(map(str, pairs))}) e(source_id, target_id)"
        before, after = shortest(pairs), shortest({(target, source) for source, target in pairs})
        for start in "abc":
            rows = duckdb.sql(
                f"WITH RECURSIVE {reached(values)} SELECT source_id, target_id, depth FROM reached",
                params=[start, start],
            ).fetchall()
            up = {start, *(ancestor for id, ancestor in before if id == start)}
            down = {start, *(heir for id, heir in after if id == start)}
            assert sorted((source, target) for source, target, _ in rows) == sorted(
                (source, target) for source, target in pairs if target in up or source in down
            ), pairs
            steps = {**{heir: depth for (id, heir), depth in after.items() if id == start}, start: 0}
            back = {**{each: depth for (id, each), depth in before.items() if id == start}, start: 0}
            for source, target, depth in rows:
                assert depth == (-1 - back[target] if depth < 0 else 1 + steps[source]), pairs
