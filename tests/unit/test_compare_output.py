"""Comparisons as JSON, Markdown and HTML."""

from __future__ import annotations

import json
import random
import re
from dataclasses import asdict
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import (
    AlreadyExistsError,
    Comparison,
    InvalidInputError,
    NotFoundError,
    ReadOnlyError,
    Registry,
    StorageError,
)
from localreg.compare.asked import Asked
from localreg.compare.question import KEPT
from localreg.compare.report.wording import sentence
from localreg.compare.telling import parts
from localreg.markdown import safe
from tests.animals import animal_case, animal_suite, run_animals

HOSTILE = "a|b`c`<script>alert(1)</script>*d* [e](f)_g_ @h\\|"


@pytest.fixture
def comparison(registry: Registry) -> Comparison:
    """200 samples in two test cases; the candidate is worse."""
    dice = random.Random(3)
    truth = {n: "xyz"[n % 3] for n in range(200)}
    halves = [{n: truth[n] for n in truth if n % 2 == half} for half in (0, 1)]
    animal_suite("s", [animal_case(HOSTILE, halves[0]), animal_case("night", halves[1])])
    for model, skill in (("old", 0.95), ("new|`<b>`", 0.6)):
        run_animals(model, {n: label if dice.random() < skill else "x" for n, label in truth.items()}, "s")
    return registry.compare("old", "new|`<b>`", suite="s")


def test_a_dict_holds_all_but_the_samples(comparison: Comparison) -> None:
    told = comparison.to_dict()
    assert json.loads(comparison.to_json()) == told
    assert told["metrics"] == [asdict(row) for row in comparison.rows]
    assert {key: told[key] for key in told if key not in ("metrics", "sides", "warnings")} == {
        "suite": "s",
        "suite_version": 1,
        "task": "classification",
        "strict": False,
        "confidence": 0.95,
        "adjust": "holm",
        "baseline": "old@1",
        "candidates": ["new|`<b>`@1"],
        "n": 200,
        "verdict": "regressed",
        "difference": comparison.difference,
        "p": comparison.p,
        "lower_is_better": [],
        "undirected": [],
    }
    coverage = {"ok": 200, "skipped": 0, "error": 0, "missing": 0}
    assert told["sides"] == [
        {"name": name, "coverage": coverage, "determinism": None, "changed_files": 0, "paired": paired}
        for name, paired in (("old@1", None), ("new|`<b>`@1", 200))
    ]
    assert told["warnings"] == list(comparison.warnings)


def test_the_same_inferences_give_the_same_bytes(registry: Registry, comparison: Comparison) -> None:
    again = localreg.open(registry.uri).compare("old", "new|`<b>`", suite="s")
    for way in ("to_json", "to_markdown", "_repr_html_"):
        assert getattr(comparison, way)() == getattr(again, way)()


def cells(markdown: str) -> list[list[str]]:
    """The rows of all tables, by the rules of GitHub: a pipe parts cells unless a backslash stands before it."""
    rows = []
    for line in markdown.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            parts, cell, escaped = [], "", False
            for letter in line[1:]:
                if letter == "|" and not escaped:
                    parts.append(cell.strip())
                    cell = ""
                else:
                    cell += letter
                escaped = letter == "\\" and not escaped
            assert not cell, "a row ends with its last cell"
            rows.append(parts)
    return rows


def test_markdown_says_the_verdict_first(comparison: Comparison) -> None:
    text = comparison.to_markdown()
    first = comparison.rows[0]
    assert text.startswith("**▼ new\\|\\`&lt;b&gt;\\`@\u20601 is worse than old@1: accuracy 0.")
    assert f", {first.fixed} fixed and {first.broken} broken**" in text.partition("\n")[0]
    assert "\n200 samples of s, version 1.\n" in text
    rows = cells(text)
    assert rows[0] == ["metric", "baseline", "candidate", "difference", "interval", "p", "verdict"]
    assert rows[1][0] == "accuracy"
    assert rows[1][6] == "▼ regressed"
    assert f"{first.difference:+.4f}" == rows[1][3]
    assert [row[0] for row in rows].count("recall of x") == 1
    assert text.count("<details>") == text.count("</details>") == 5
    assert all(f"<summary>{each}" in text for each in ("Classes", "Test cases and slices", f"{first.broken} broken"))


def test_markdown_lists_the_first_samples_only(comparison: Comparison) -> None:
    broken = comparison.to_markdown().partition(" broken, the first 10</summary>")[2].partition("</details>")[0]
    head, *rows = cells(broken)
    assert head == ["test\\_case" if "\\_" in head[0] else "test_case", *head[1:]]
    assert len(rows) == 10
    first = comparison.broken[0]
    assert rows[0][head.index("ground_truth")] == first["ground_truth"]
    assert rows[0][head.index("b")] == first["b"]


def test_the_only_test_case_is_not_told_twice(registry: Registry) -> None:
    truth = {n: "xyz"[n % 3] for n in range(60)}
    animal_suite("one", [animal_case("alone", truth)])
    run_animals("a", truth, "one")
    run_animals("b", {n: label if n % 4 else "x" for n, label in truth.items()}, "one")
    plain = registry.compare("a", "b", suite="one").to_markdown()
    assert "alone" not in plain.partition("broken</summary>")[0]
    assert "Test cases and slices" not in plain
    sliced = registry.compare("a", "b", suite="one", by="n % 2").to_markdown()
    told = [row[0] for row in cells(sliced.partition("Test cases and slices")[2].partition("</details>")[0])]
    assert set(told[1:]) == {"n % 2 = 0", "n % 2 = 1"}


def test_markdown_shows_the_deciding_metric_of_slices_first_and_is_short_enough_for_github(registry: Registry) -> None:
    truth = {n: f"class {n % 150} of those with a long name" for n in range(900)}
    animal_suite("s", [animal_case("all", truth)])
    run_animals("a", truth, "s")
    run_animals("b", {n: label if n % 4 else "x" for n, label in truth.items()}, "s")
    it = registry.compare("a", "b", suite="s", by=["n % 3", "ground_truth.label", "n % 40"])
    text = it.to_markdown()
    assert len(text) < 65_536
    tables = [each.partition("</details>")[0] for each in text.split("<summary>Test cases and slices")[1:]]
    deciding, others = ({row[1] for row in cells(each)} for each in tables)
    assert deciding == {"metric", "accuracy"}
    assert "accuracy" not in others
    assert "f1_macro" in others
    assert re.search(r"^[\d,]+ more: `comparison.metrics` has them\.$", text, re.MULTILINE)
    small = registry.compare("a", "b", suite="s", by="n % 3").to_markdown()
    assert "`comparison.metrics`" not in small.partition("Test cases and slices")[2]


def test_metrics_of_single_classes_are_told_where_nothing_else_is_asked_for(comparison: Comparison) -> None:
    registry = Registry(comparison._session)
    told = registry.compare("old", "new|`<b>`", suite="s", metrics=["f1"])
    for label in "xyz":
        row = told.row("f1", label=label)
        assert re.search(rf"^f1 of {label} +{row.a:.4f} +{row.b:.4f} ", str(told), re.MULTILINE)
        assert f"<td>f1 of {label}</td>" in told._repr_html_()


def test_a_notebook_says_which_p_it_shows(registry: Registry) -> None:
    it = graded(registry)
    assert "<th>p</th>" in it._repr_html_()
    again = registry.compare("old", "new", "old", suite="s")
    assert any(row.p != row.p_adjusted for row in again.rows)
    assert "<th>p adjusted</th>" in again._repr_html_()


def test_a_row_that_is_not_there_is_named_by_what_is_nowhere(registry: Registry) -> None:
    it = graded(registry)
    for wanted, said in (
        ({"slice": "9"}, r"no row of slice '9'; there are 0, 1, 2;"),
        ({"test_case": "thrid"}, r"no row of test case 'thrid'; did you mean 'third'\?"),
        ({"metric": "acuracy"}, r"no row of metric 'acuracy'; did you mean 'accuracy'\?"),
        ({"label": "x"}, r"no row of metric 'accuracy', candidate 'new@1', label 'x' together"),
    ):
        with pytest.raises(NotFoundError, match=said):
            it.row(**wanted)
    one = registry.measure("old", suite="s", by="n % 3")
    with pytest.raises(NotFoundError, match="the measurement has no row of slice '9'; there are 0, 1, 2;"):
        one.row("accuracy", slice="9")


def test_slices_of_nothing_are_left_out_of_what_is_shown(registry: Registry) -> None:
    live = graded(registry)
    it = registry.compare("old", "new", suite="s", by="nullif(n, n)")
    assert {row.slice for row in it.rows if row.by} == {"null"}
    assert not [row for row in parts(it.rows) if row.by]
    assert "nullif(n, n) =" not in it.to_markdown()
    assert len([row for row in parts(live.rows) if row.by and row.metric == "accuracy"]) == 3


def test_names_are_no_markup(comparison: Comparison) -> None:
    text = comparison.to_markdown()
    assert "<script>" not in text
    assert "[e](" not in text.replace("\\[e\\](", "")
    assert " @h" not in text
    assert len({len(row) for row in cells(text.partition("Test cases and slices")[2].partition("</details>")[0])}) == 1


def test_markdown_is_written_to_a_file(comparison: Comparison, tmp_path: Path) -> None:
    path = tmp_path / "report.md"
    path.write_text("x" * 100_000, encoding="utf-8")
    text = comparison.to_markdown(path)
    assert path.read_bytes() == text.encode()
    with pytest.raises(StorageError, match=r"cannot write '.*gone"):
        comparison.to_markdown(tmp_path / "gone" / "report.md")


def test_warnings_are_told_in_all_forms(registry: Registry) -> None:
    animal_suite("few", [animal_case("few", {1: "x", 2: "y"})])
    run_animals("m", {1: "x", 2: "y"}, "few")
    it = registry.compare("m", "m", suite="few")
    assert it.warnings
    for told in (it.to_markdown(), it._repr_html_()):
        assert it.warnings[0] in told
    assert it.to_markdown().startswith("**= m@1 and m@1 are right on the same samples")
    assert "fixed</summary>" not in it.to_markdown()


class Page(HTMLParser):
    """Which tags are there, and that each that was opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_notebook_shows_a_table_of_its_own(comparison: Comparison) -> None:
    page = Page()
    html = comparison._repr_html_()
    page.feed(html)
    assert page.open == []
    assert "script" not in page.seen
    assert page.seen.count("table") == 1
    assert page.seen.count("tr") == 1 + len({row.metric for row in comparison.rows if row.label is None})
    assert "http" not in html
    assert len(html) < 10_000
    assert "new|`&lt;b&gt;`@1 is worse than old@1" in html


def test_every_document_begins_with_the_same_sentence(comparison: Comparison, tmp_path: Path) -> None:
    told = sentence(comparison, comparison.candidate)
    assert told.startswith("new|`<b>`@1 is worse than old@1: accuracy ")
    assert safe(told) in comparison.to_markdown()
    assert escape(told) in comparison._repr_html_()
    page = comparison.to_html(tmp_path / "report.html", samples=0).read_text(encoding="utf-8")
    assert f"<bdi>{escape(told)}.</bdi>" in page


def test_several_candidates_are_told_one_after_the_other(registry: Registry, comparison: Comparison) -> None:
    run_animals("third", dict.fromkeys(range(200), "x"), "s")
    both = registry.compare("old", "new|`<b>`", "third", suite="s")
    assert both.to_markdown().count("is worse than old@1") == 2
    assert both._repr_html_().count("<table>") == 2


# --- saved ------------------------------------------------------------------------------------------------------------


def test_a_saved_comparison_stays_what_it_was(registry: Registry, comparison: Comparison) -> None:
    before = registry.commit
    saved = comparison.save("release")
    expected = comparison.to_json()
    registry.get_model("old").delete(force=True)
    found = localreg.open(registry.uri).get_comparison("release")
    assert (found.name, found.commit, found) == ("release", before, saved)
    assert found.to_json() == expected
    assert found.rows == comparison.rows
    assert found.metrics.dicts() == comparison.metrics.dicts()
    assert str(found) == str(comparison)
    again = registry.at(commit=found.commit).compare("old", "new|`<b>`", suite="s")
    assert again.to_json() == expected
    assert registry.verify().ok


def test_a_saved_comparison_can_do_what_a_live_one_can(registry: Registry, tmp_path: Path) -> None:
    rules = {"accuracy": localreg.Gate(max_drop=0.01, min_value=0.9), "f1_macro": localreg.Gate(margin=0.05)}
    live = graded(registry)
    saved = live.save("release")
    run_animals("third", dict.fromkeys(range(60), "z"), "s")
    registry.get_model("old").delete(force=True)
    found = localreg.open(registry.uri).get_comparison("release")
    assert isinstance(found, Comparison)
    assert found == saved
    told = found.gate(rules, critical=["third"], require_improvement=True)
    assert told == live.gate(rules, critical=["third"], require_improvement=True)
    assert len(told.reasons) > 3
    for way in ("to_markdown", "_repr_html_", "to_json", "__str__", "plots"):
        assert getattr(found, way)() == getattr(live, way)()
    for name in ("warnings", "sides", "coverage", "verdict", "adjust", "task", "strict", "confidence", "n", "commit"):
        assert getattr(found, name) == getattr(live, name)
    assert found.lower_is_better == []
    assert found.breakdown("n % 3").dicts() == live.breakdown("n % 3").dicts()
    for outcome in ("fixed", "broken", None):
        assert found.samples(outcome).arrow() == live.samples(outcome).arrow()
    assert len(found.broken) > 0
    assert found.confusion().dicts() == live.confusion().dicts()
    pages = [each.to_html(tmp_path / f"{n}.html").read_bytes() for n, each in enumerate((found, live))]
    assert pages[0] == pages[1]
    assert found.save("copy").to_json() == live.to_json()


def graded(registry: Registry) -> Comparison:
    """60 samples in two test cases, and slices of them; a third is missing of the candidate."""
    truth = {n: "xyz"[n % 3] for n in range(60)}
    animal_suite("s", [animal_case("first", truth), animal_case("third", {n: truth[n] for n in range(20)})])
    run_animals("old", truth, "s")
    run_animals("new", {n: label if n % 4 else "x" for n, label in truth.items()}, "s")
    return registry.compare("old", "new", suite="s", by="n % 3", adjust="bh", confidence=0.9)


def test_of_a_saved_comparison_rows_stay_when_samples_are_gone(registry: Registry, tmp_path: Path) -> None:
    live = graded(registry)
    found = live.save("release")
    for part in list(tmp_path.rglob("inferences/*/*.parquet")):
        part.unlink()
    found = localreg.open(registry.uri).get_comparison("release")
    gone = f"samples of comparison 'release' cannot be read as of commit {live.commit}: .* compare anew"
    with pytest.raises(NotFoundError, match=gone):
        found.broken.dicts()
    with pytest.raises(NotFoundError, match=gone):
        found.to_html(tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
    with pytest.raises(NotFoundError, match=gone):
        found.confusion()
    assert found.rows == live.rows
    assert not found.gate(accuracy=localreg.Gate(max_drop=0.01))
    text = found.to_markdown()
    assert f"{live.rows[0].broken} broken, not listed: samples of comparison 'release' cannot be read" in text
    assert "| accuracy |" in text


def test_of_a_saved_comparison_redacted_samples_are_told(registry: Registry) -> None:
    live = graded(registry)
    found = live.save("release")
    expected = live.broken.dicts()
    assert found.broken.dicts() == expected
    suite = registry.audit(kind="test_suite").dicts()[0]["commit"]
    registry.get_test_suite("s").delete(force=True)
    registry.redact(commit=suite, reason="a name")
    found = localreg.open(registry.uri).get_comparison("release")
    with pytest.raises(NotFoundError, match=r"samples of comparison 'release' cannot be read.* redacted in commit"):
        found.broken.dicts()
    assert found.rows == live.rows


def test_what_decides_of_a_comparison_is_kept_with_it() -> None:
    assert set(Asked._fields) - {"executor"} == set(KEPT), (
        "name it in KEPT, or say here that the answer does not hang on it"
    )


def test_comparisons_that_an_earlier_release_saved_open(registry: Registry) -> None:
    live = graded(registry)
    found = live.save("release")
    content = {key: value for key, value in found.info.content.items() if key not in ("adjust", "undirected")}

    def as_before(record: Any, _: Any) -> Any:
        return record.model_copy(update={"content": content, "question": None})

    found._change(as_before)
    old = localreg.open(registry.uri).get_comparison("release")
    assert old.rows == live.rows
    assert old.to_markdown().startswith(live.to_markdown().partition("<details>")[0])
    assert old.gate(accuracy=localreg.Gate(max_drop=0.5)) == live.gate(accuracy=localreg.Gate(max_drop=0.5))
    with pytest.raises(NotFoundError, match="an earlier release saved it, and did not keep how it was asked"):
        old.broken.dicts()
    with pytest.raises(NotFoundError, match="'release' was saved by a release that did not keep its adjust yet"):
        _ = old.adjust
    assert old.to_dict() == {**content, "metrics": live.to_dict()["metrics"]}
    old.delete()


def test_saved_comparisons_are_listed_and_deleted(registry: Registry, comparison: Comparison) -> None:
    comparison.save("first")
    named = comparison.save()
    assert named.name == "new|`<b>`@1 against old@1 on s@1"
    (row,) = registry.comparisons("name = 'first'").dicts()
    assert (row["baseline"], row["candidates"], row["samples"]) == ("old@1", ["new|`<b>`@1"], 200)
    assert (row["verdict"], row["difference"], row["p"]) == ("regressed", comparison.difference, comparison.p)
    assert (row["test_suite"], row["test_suite_version"], row["commit"]) == ("s", 1, comparison.commit)
    assert [row["name"] for row in registry.comparisons(search="against")] == [named.name]
    named.delete()
    assert len(registry.comparisons()) == 1
    assert [row["action"] for row in registry.audit(kind="comparison")] == ["create", "create", "delete"]
    registry.undo(registry.commit)
    assert named.to_json() == comparison.to_json()


def test_what_cannot_be_saved_or_found_is_told(registry: Registry, comparison: Comparison, tmp_path: Path) -> None:
    comparison.save("first")
    files = sorted(tmp_path.rglob("comparison_rows/**/*.parquet"))
    with pytest.raises(AlreadyExistsError, match="'first' is saved already"):
        comparison.save("first")
    assert sorted(tmp_path.rglob("comparison_rows/**/*.parquet")) == files != []
    with pytest.raises(NotFoundError, match=r"no saved comparison 'frist'.*did you mean 'first'"):
        registry.get_comparison("frist")
    with pytest.raises(InvalidInputError, match="name of the comparison"):
        comparison.save("")
    with pytest.raises(ReadOnlyError):
        registry.frozen().compare("old", "new|`<b>`", suite="s").save("second")
