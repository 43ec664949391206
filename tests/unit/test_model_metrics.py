"""What people say a model is worth: numbers by name, all together or on a data set or suite; tags of versions."""

from __future__ import annotations

import math
from typing import Any

import pytest

import localreg
from localreg import InvalidInputError, ModelVersion, NotFoundError, Registry
from tests.pictures import Picture, TestCase, TestSuite, Truth


@pytest.fixture
def version(registry: Registry) -> ModelVersion:
    return registry.create_model("m").create_version(1)


def suite(registry: Registry, name: str) -> None:
    with localreg.use(registry):
        TestSuite(name, test_cases=[TestCase(f"all of {name}", test_samples=[(Picture(1), Truth("cat"))])])


def test_numbers_come_by_name_and_replace_those_of_the_same_name(registry: Registry, version: ModelVersion) -> None:
    version.set_metrics({"accuracy": 0.5, "loss": 2})
    version.set_metrics({"accuracy": 0.75})
    assert version.metrics() == {"accuracy": 0.75, "loss": 2.0}
    version.unset_metrics("loss", "unknown")
    assert version.metrics() == {"accuracy": 0.75}


def test_a_version_has_its_model_s_where_it_has_none_of_its_own(registry: Registry, version: ModelVersion) -> None:
    version.model.set_metrics({"size": 3, "accuracy": 0.1})
    version.set_metrics({"accuracy": 0.9})
    assert version.metrics() == {"size": 3.0, "accuracy": 0.9}
    assert version.model.metrics() == {"size": 3.0, "accuracy": 0.1}
    assert registry.model_versions("metrics.accuracy > 0.5 AND metrics.size = 3").dicts()[0]["version"] == "1"


def test_those_of_a_suite_are_apart(registry: Registry, version: ModelVersion) -> None:
    suite(registry, "a")
    suite(registry, "b")
    version.set_metrics({"accuracy": 0.5}, suite="a")
    version.set_metrics({"accuracy": 0.25}, suite="b")
    assert version.metrics() == {}
    assert version.metrics(suite="a") == {"accuracy": 0.5}
    assert version.metrics(suite="b") == {"accuracy": 0.25}
    rows = registry.model_metrics("test_suite = 'b'").dicts()
    assert [(row["model"], row["version"], row["metric"], row["value"]) for row in rows] == [
        ("m", "1", "accuracy", 0.25)
    ]


def test_a_number_that_is_none_is_told_as_such(registry: Registry, version: ModelVersion) -> None:
    version.set_metrics({"loss": math.nan, "best": math.inf})
    assert version.metrics() == {"loss": None, "best": None}
    assert [row["value"] for row in registry.model_metrics().dicts()] == [None, None]


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        ({"values": {"a": "much"}}, InvalidInputError, "'a' is 'much'; write a number"),
        ({"values": [1]}, InvalidInputError, "write names with numbers"),
        ({"values": {"": 1}}, InvalidInputError, "name of a metric"),
        ({"values": {"a": 1}, "suite": "s"}, NotFoundError, "no test suite 's'"),
        ({"values": {"a": 1}, "dataset": "d"}, NotFoundError, "version 'm@1' has no data set 'd'"),
        ({"values": {"a": 1}, "dataset": "d", "suite": "s"}, InvalidInputError, "one of both"),
    ],
)
def test_bad_input_changes_nothing(
    registry: Registry, version: ModelVersion, said: Any, error: Any, message: str
) -> None:
    before = registry.commit
    with pytest.raises(error, match=message):
        version.set_metrics(**said)
    assert registry.commit == before


def test_the_log_says_of_what(registry: Registry, version: ModelVersion) -> None:
    suite(registry, "a")
    version.set_metrics({"accuracy": 0.5}, suite="a")
    version.set_metrics({"accuracy": 0.75}, suite="a")
    first, second = registry.audit(kind="metrics").dicts()
    assert first["action"] == second["action"] == "set_metrics"
    assert second["details"] == {"test_suite": "a"}
    assert version.history().dicts()[-1]["changes"] == "values.accuracy 0.5 → 0.75"


def test_the_past_keeps_what_was_said(registry: Registry, version: ModelVersion) -> None:
    version.set_metrics({"accuracy": 0.5})
    then = registry.commit
    version.set_metrics({"accuracy": 0.75})
    assert registry.at(commit=then).get_model("m").version(1).metrics() == {"accuracy": 0.5}
    registry.undo(registry.commit)
    assert version.metrics() == {"accuracy": 0.5}


def test_they_go_with_the_version(registry: Registry, version: ModelVersion) -> None:
    version.set_metrics({"accuracy": 0.5})
    version.delete()
    assert len(registry.model_metrics()) == 0
    registry.undo(registry.commit)
    assert version.metrics() == {"accuracy": 0.5}


def test_versions_have_tags_of_their_own(registry: Registry, version: ModelVersion) -> None:
    version.model.tag("of the model")
    version.tag("b", "a").untag("b", "c")
    assert version.tags == ["a"]
    assert version.update(tags=["x", "y"]).tags == ["x", "y"]
    assert len(registry.model_versions("'x' IN tags", search="y")) == 1
    assert version.model.tags == ["of the model"]
