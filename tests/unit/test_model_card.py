"""A model card tells what is known, the same each time, whatever users wrote, and no secret."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import localreg
from localreg import ModelVersion, NotFoundError, Registry
from localreg.canonical import sha256_hex
from localreg.cards.texts import number, place, public
from localreg.markdown import paragraphs, safe, table
from localreg.records.determinism import Determinism
from localreg.workflow import (
    EvaluationResults,
    EvaluatorConfiguration,
    GroundTruth,
    Inference,
    MetricsTestCase,
    MetricsTestSample,
    MetricsTestSuite,
    ScoredClassificationLabel,
    TestCases,
    TestSample,
    define_workflow,
    test,
)
from tests.definitions import commit_of, git, write_model

EXAMPLE = Path(localreg.__file__).parents[1] / "examples/definitions/logistic"
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


@dataclass(frozen=True)
class Picture(TestSample):
    pixels: list[int]


@dataclass(frozen=True)
class Digit(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    digit: ScoredClassificationLabel


_, Case, Suite, DigitModel = define_workflow("Digits", Picture, Digit, Guess)


def sections(card: str) -> dict[str, str]:
    """The text of each section by its title; "" = what stands above the first."""
    parts = re.split(r"^## (.*)\n", card, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def cells(card: str) -> list[list[str]]:
    """The rows of all tables, as a page shows them."""
    rows = re.findall(r"<tr>(.*?)</tr>", MARKDOWN.render(body(card)), re.DOTALL)
    return [[unescape(each) for each in re.findall(r"<t[hd]>(.*?)</t[hd]>", row, re.DOTALL)] for row in rows]


def front(card: str) -> dict[str, Any]:
    """What stands above the Markdown."""
    return dict(yaml.safe_load(card.split("---\n")[1])) if card.startswith("---\n") else {}


def body(card: str) -> str:
    return card.split("---\n", 2)[2] if card.startswith("---\n") else card


def pictures(*labels: str) -> list[tuple[Picture, Digit]]:
    return [(Picture([number] * 64), Digit(label)) for number, label in enumerate(labels)]


# --- a model that is run from its definition --------------------------------------------------------------------------

CARD = """\
---
library_name: scikit-learn
pipeline_tag: classification
tags: [linear]
metrics:
  - accuracy
  - balanced_accuracy
  - precision_macro
  - recall_macro
  - f1_macro
  - cohen_kappa
---

# digits-logistic

logistic regression on the first 898 digits

| Model | digits-logistic |
|---|---|
| Version | VERSION (the newest) |
| Aliases | production |
| Task | classification |
| Tags | linear |
| Registered | TIME by ana |
| Content | sha256 CONTENT |

## Usage

```python
import localreg

registry = localreg.open("REGISTRY")
with registry.load("digits-logistic@VERSION") as model:
    predictions = model.predict(datapoints)
```

Each prediction has labels and scores.

## Metrics

### Test suite digits, version 1, by classification

4 samples.

| Metric | Value |
|---|---|
| accuracy | 0.7500 |
| balanced_accuracy | 0.5000 |
| precision_macro | 0.3750 |
| recall_macro | 0.5000 |
| f1_macro | 0.4286 |
| cohen_kappa | 0 |

## Metadata

| Key | Value |
|---|---|
| framework | scikit-learn |
| seed | 0 |

## Code and files

Its code is in the registry: 1 file, SIZE bytes, sha256 CODE.

| File | Where | Size | sha256 |
|---|---|---|---|
| weights | weights/logistic.npz | 6.1 kB | WEIGHTS |

## Runtime

| Runtime |  |
|---|---|
| Device | cpu |
| Batch | at most 128 |
| Load | inference:get_model |
| Predict | inference:predict |

## Environment

Of the newest test run, on test suite digits, version 1, TIME, by ana:

| Environment |  |
|---|---|
| Python | PYTHON |
| Platform | PLATFORM |
| Packages | MANY loaded |
| Seed | 0 |

## Lineage

What was made of it:

- version digits-logistic@VERSION was tested by test run digits@1 classification
"""


@pytest.fixture
def digits(registry: Registry, tmp_path: Path) -> Registry:
    """The example, with weights that see a 3 in everything, run on four pictures."""
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "logistic"))
    (folder / "weights").mkdir(exist_ok=True)
    seen = np.array([str(digit) for digit in range(10)])
    np.savez(
        folder / "weights/logistic.npz",
        coefficients=np.zeros((10, 64)),
        intercepts=np.eye(10)[3],
        classes=seen,
    )
    Suite("digits", test_cases=[Case("digits", test_samples=pictures("3", "3", "3", "7"))])
    registry.push(folder / "models.yaml")
    registry.get_model("digits-logistic").set_alias("production", registry.get_version("digits-logistic"))
    registry.test("digits-logistic", "digits", "classification")
    return registry


def test_the_card_of_an_example(digits: Registry) -> None:
    definition = digits.get_definition("digits-logistic")
    code: Any = definition.code
    card = digits.model_card("digits-logistic@production")
    told = CARD
    for word, value in (
        ("VERSION", definition.content[:12]),
        ("CONTENT", definition.content),
        ("CODE", code["sha256"]),
        ("SIZE", f"{code['bytes']}"),
        ("WEIGHTS", definition.files[0]["sha256"]),
        ("PYTHON", platform.python_version()),
        ("PLATFORM", safe(f"{sys.platform} {platform.machine()}")),
    ):
        told = told.replace(word, value)
    card = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME", card)
    size = re.search(r"\| weights .*? \| ([\d.]+ kB) \|", card)
    assert size is not None
    assert re.sub(r"\| \d+ loaded", "| MANY loaded", card).replace(size[1], "6.1 kB") == told


def test_the_same_state_gives_the_same_card_whatever_happens_elsewhere(digits: Registry) -> None:
    card, commit = digits.model_card("digits-logistic"), digits.commit
    other = digits.create_model("other").create_version("1")
    other.set_metrics({"a": 1.0})
    assert digits.model_card(digits.get_model("digits-logistic")) == card
    assert localreg.open(digits.uri, read_only=True).model_card(digits.get_version("digits-logistic")) == card
    digits.get_model("digits-logistic").update(owner="ben")
    assert "| Owner | ben |" in digits.model_card("digits-logistic")
    assert digits.at(commit=commit).model_card("digits-logistic") == card


# --- what is known ----------------------------------------------------------------------------------------------------


def test_of_what_nobody_said_anything_there_is_no_section(registry: Registry) -> None:
    registry.create_model("m").create_version("1")
    card = registry.model_card("m")
    assert card.startswith("# m\n\n| Model | m |\n|---|---|\n| Version | 1 (the newest) |\n| Registered | ")
    assert list(sections(card)) == ["", "Usage"]
    assert 'version = registry.get_version("m@1")\n' in card
    assert card.endswith("```\n")


def test_a_version_that_was_trained_tells_its_data_experiment_and_metrics(registry: Registry) -> None:
    model = registry.create_model(
        "m", metadata={"zeta": 1, "notes": "by night", "hyperparameters": {"optim": {"lr": 0.2}}}
    )
    model.add_dataset("s3://bucket/night", role="eval", description="2026")
    with registry.experiment("e", params={"epochs": 5, "optim": {"lr": 0.1}}, code=False) as experiment:
        rows = experiment.upload(b"rows", name="rows.csv")
        experiment.add_dataset(rows, role="train", name="rows")
        version = experiment.checkpoint(b"w", step=3, metrics={"loss": 0.125, "nan": float("nan")}).promote(model, "1")
    version.upload(b"c", name="notes.md")
    version.track("s3://bucket/w.npz", name="w")
    version.tag("checked")
    version.update(metadata={"alpha": [1, 2]}, description="the better one")
    model.set_metrics({"cost": 3})
    version.set_metrics({"cost": 2.5, "speed": 1e-7})
    version.set_metrics({"accuracy": 0.93}, dataset="night")
    model.create_version("2")
    card = registry.model_card("m@1")
    told = sections(card)
    assert front(card) == {"tags": ["checked"], "datasets": ["night", "rows"], "metrics": ["cost", "speed", "accuracy"]}
    assert "\nthe better one\n" in told[""]
    assert "| Version | 1 |" in told[""]
    assert cells(told["Metrics"]) == [
        ["Metric", "Value", "On"],
        ["cost", "2.5000", ""],
        ["speed", "1e-07", ""],
        ["accuracy", "0.9300", "data set night"],
    ]
    assert told["Training"].startswith("\nMade of checkpoint step 3 of experiment e.\n")
    assert cells(told["Training"]) == [
        ["Metric of the checkpoint", "Value"],
        ["loss", "0.1250"],
        ["nan", "none"],
        ["Hyperparameter", "Value"],
        ["epochs", "5"],
        ["optim.lr", "0.2"],
    ]
    assert cells(told["Data sets"]) == [
        ["Data set", "Role", "Where", "sha256", "Description"],
        ["night", "eval", "s3://bucket/night", "", "2026"],
        ["rows", "train", "artifact rows.csv", sha256_hex("rows"), ""],
    ]
    assert cells(told["Metadata"]) == [["Key", "Value"], ["notes", "by night"], ["alpha", "[1, 2]"], ["zeta", "1"]]
    assert [row[:3] for row in cells(told["Code and files"])] == [
        ["File", "Where", "Size"],
        ["notes.md", "", "1 bytes"],
        ["w", "s3://bucket/w.npz (not in the registry)", ""],
    ]
    assert told["Lineage"] == (
        "\nWhat it came of:\n\n"
        "- data set rows is artifact rows.csv\n"
        "- experiment e was trained on data set rows\n"
        "- experiment e saved checkpoint e: step 3\n"
        "- version m@1 was evaluated on data set night\n"
        "- checkpoint e: step 3 became version m@1\n"
    )


def test_a_repository_is_named_with_its_commit_and_what_opens_it_by_name_alone(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_KEY", "s3cr3t-of-git")
    (tmp_path / "models.yaml").write_text(
        """
        models:
          - name: pinned
            repository:
              {url: https://host/p.git, hash: 0123456789abcdef0123456789abcdef01234567, access_token: "${GIT_KEY}"}
            files:
              - {name: far, url: s3://bucket/x.npz, credentials: {key: "${BUCKET_KEY}", secret: "${BUCKET_SECRET}"}}
            runtime:
              image: python:3.11-slim
              predict:
                entrypoint: inference:predict
                inputs: [{name: a, value: "${URL}/${MODE:-fast}"}, {name: b, value: "${datapoints}"}]
          - {name: branch, repository: {url: "git@host:team/p.git", branch: main}}
          - {name: newest, repository: {url: ../here.git}}
        """
    )
    registry.push(tmp_path / "models.yaml", network=False)
    card = registry.model_card("pinned")
    told = sections(card)
    assert "To be set in the environment: BUCKET_KEY, BUCKET_SECRET, GIT_KEY and URL.\n" in unescape(card).replace(
        "\\", ""
    )
    assert (
        "git repository https://host/p.git, commit 0123456789abcdef0123456789abcdef01234567.\n"
        in told["Code and files"]
    )
    assert cells(told["Runtime"]) == [["Runtime", ""], ["Image", "python:3.11-slim"], ["Predict", "inference:predict"]]
    assert "s3cr3t" not in card
    assert "repository git@host:team/p.git, branch main.\n" in registry.model_card("branch")
    assert "repository here.git, its newest commit.\n" in registry.model_card("newest")


def test_code_that_was_changed_since_its_commit_is_told_so(registry: Registry, tmp_path: Path) -> None:
    file = write_model(tmp_path / "m")
    git(file.parent, "init", "--quiet", "--initial-branch=main")
    git(file.parent, "add", "--all")
    git(file.parent, "commit", "--quiet", "--message", "first")
    registry.push(file)
    assert f"; git commit {commit_of(file.parent)}.\n" in registry.model_card("m")
    (file.parent / "inference.py").write_text("def predict(model, datapoints): ...\ndef get_model(weights): ...\n")
    registry.push(file)
    assert f"; git commit {commit_of(file.parent)}, with changes that are not committed.\n" in registry.model_card("m")


def test_a_verdict_on_determinism_is_told_with_what_was_varied(registry: Registry) -> None:
    version = registry.create_model("m").create_version("1")
    verdict = Determinism(
        level="bit-exact",
        wanted="bit-exact",
        variations={"repeat": "bit-exact", "order": "bit-exact"},
        deviation=None,
        samples=32,
        test_suite="plates@1",
        batch_size=None,
        rtol=0.0,
        atol=0.0,
        time="2026-03-31T12:00:00Z",
        fingerprint={},
    )
    version._change(lambda record, _: record.replaced(determinism=verdict.to_json()))
    told = sections(registry.model_card("m"))["Determinism"]
    assert told.startswith("\nBit-exact, 32 samples, 2026-03-31.\n")
    assert cells(told) == [
        ["What differed", "What stayed the same"],
        ["repeat", "bit-exact"],
        ["order", "bit-exact"],
    ]


# --- metrics of evaluators --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings(EvaluatorConfiguration):
    name: str

    def display_name(self) -> str:
        return self.name


@dataclass(frozen=True)
class Right(MetricsTestSample):
    right: bool


@dataclass(frozen=True)
class Share(MetricsTestCase):
    right: float
    by: dict[str, int]
    classes: list[str]


@dataclass(frozen=True)
class Total(MetricsTestSuite):
    worst: float
    fine: bool


def shares(
    samples: list[Any], truths: list[Any], inferences: list[Any], cases: TestCases, configuration: Settings
) -> EvaluationResults:
    right = [Right(each.digit.label == truth.label) for truth, each in zip(truths, inferences, strict=True)]
    of_cases = [
        (case, Share(sum(each.right for each in own) / len(own), {"all": len(own)}, ["a"]))
        for case, _, _, _, own in cases.iter(samples, truths, inferences, right)
    ]
    total = Total(min(share.right for _, share in of_cases), True) if configuration.name == "strict" else None
    return EvaluationResults(list(zip(samples, right, strict=True)), of_cases, metrics_test_suite=total)


def failing(picture: Picture) -> Guess:
    raise ZeroDivisionError(picture)


@pytest.fixture
def evaluated(registry: Registry) -> Registry:
    """A model on two versions of a suite, evaluated with two configurations."""
    model = DigitModel("m", lambda picture: Guess(ScoredClassificationLabel("3", 0.5)))
    suite = Suite("digits", test_cases=[Case("a", test_samples=pictures("3", "7"))])
    test(model, suite, shares, [Settings("old")])
    with suite.edit() as editor:
        editor.add(Case("b|c", test_samples=pictures("3", "3", "3")[2:]))
    configurations = [Settings("lax"), Settings("strict")]
    test(DigitModel("m", failing), Suite("digits"), shares, configurations, on_error="record")
    return registry


def test_each_evaluation_is_told_of_the_newest_version_of_its_suite(evaluated: Registry) -> None:
    card = evaluated.model_card("m")
    told = sections(card)["Metrics"]
    assert front(card)["metrics"] == ["worst"]
    assert [line for line in told.splitlines() if line.startswith("###")] == [
        "### Test suite digits, version 2, by shares (lax)",
        "### Test suite digits, version 2, by shares (strict)",
    ]
    assert told.count("\n2 samples; 1 failed left out.\n") == 2
    of_cases = [["Test case", "right", "by.all"], ["a", "0.5000", "2"]]
    assert cells(told) == [*of_cases, ["Metric", "Value"], ["worst", "0.5000"]]


def test_what_the_model_skipped_is_told(registry: Registry) -> None:
    suite = Suite("digits", test_cases=[Case("a", test_samples=pictures("3", "7", "3"))])
    model = DigitModel("m", lambda picture: Guess(ScoredClassificationLabel("3", 0.5)) if picture.pixels[0] else None)
    test(model, suite, "classification")
    assert "3 samples, of which the model skipped 1.\n" in registry.model_card("m")


def test_test_cases_are_told_where_they_are_more_than_the_suite(registry: Registry) -> None:
    halves = [Case("a", test_samples=pictures("3", "7")), Case("b|c", test_samples=pictures("3", "3", "3")[2:])]
    model = DigitModel("m", lambda picture: Guess(ScoredClassificationLabel("3", 0.5)))
    test(model, Suite("digits", test_cases=halves), shares, [Settings("strict")])
    assert cells(sections(registry.model_card("m"))["Metrics"]) == [
        ["Metric", "Value"],
        ["worst", "0.5000"],
        ["Test case", "right", "by.all"],
        ["a", "0.5000", "2"],
        ["b|c", "1", "1"],
    ]


def test_a_run_that_nobody_evaluated_is_told_by_what_it_ran_in(registry: Registry) -> None:
    suite = Suite("digits", test_cases=[Case("a", test_samples=pictures("3"))])
    test(DigitModel("m", lambda picture: Guess(ScoredClassificationLabel("3", 0.5)), {"seed": 7}), suite)
    told = sections(registry.model_card("m"))
    assert "Metrics" not in told
    rows = dict(cells(told["Environment"]))
    assert (rows["Python"], rows["Seed"]) == (platform.python_version(), "7")
    assert re.fullmatch("sha256 [0-9a-f]{64}", rows["Code"])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        *((None, "none"), (float("nan"), "none"), (float("-inf"), "none"), (0.0, "0"), (3, "3"), (12345, "12,345")),
        *((0.5, "0.5000"), (-0.25, "-0.2500"), (1e-7, "1e-07"), (12345.678, "1.235e+04"), (1e300, "1e+300")),
    ],
)
def test_numbers_are_short(value: float | None, told: str) -> None:
    assert number(value) == told


# --- whatever users wrote ---------------------------------------------------------------------------------------------

HOSTILE = "a|b`c`<script>alert(1)</script>*d* [e](http://f) _g_ @h\\| ~~i~~ $j$ # k &lt; ![l](m) <!-- n"


@pytest.fixture
def hostile(registry: Registry) -> Registry:
    """Of a model whose every text is out to break the page."""
    model = registry.create_model(
        HOSTILE,
        description=f"{HOSTILE}\n---\n# title\n- item\n+ item\n1. item\n1) item\n===\n\n    code\n\n> quote\n```\n<b>",
        tags=[HOSTILE, "---", "yes", "a: b"],
        owner=HOSTILE,
        task=HOSTILE,
        metadata={HOSTILE: HOSTILE, "notes": "two\nlines", "framework": HOSTILE, "n": {HOSTILE: [HOSTILE, {"a": "|"}]}},
    )
    version = model.create_version(HOSTILE.replace("@", "-"))
    model.set_alias("`|`", version)
    version.add_dataset(f"s3://b/{HOSTILE}", role="train", name=HOSTILE, description=HOSTILE)
    version.set_metrics({HOSTILE: 1.0}, dataset=HOSTILE)
    version.upload(b"x", name=HOSTILE.replace("/", "-"))
    return registry


def test_nothing_that_users_wrote_is_markup(hostile: Registry) -> None:
    card = hostile.model_card(HOSTILE)
    html = MARKDOWN.render(body(card))
    made = {"h1", "h2", "p", "br", "table", "thead", "tbody", "tr", "th", "td", "pre", "code", "ul", "li"}
    assert set(re.findall(r"<(\w+)", html)) == made
    assert (html.count("<h1>"), html.count("<h2>"), html.count("<pre>")) == (1, len(sections(card)) - 1, 1)
    assert unescape(re.findall("<h1>(.*)</h1>", html)[0]).replace("\u2060", "") == HOSTILE
    rows = cells(card)
    assert ["Owner", HOSTILE] in [[each.replace("\u2060", "") for each in row] for row in rows]
    assert {len(row) for row in rows} <= {2, 3, 4, 5}
    assert ["notes", "two lines"] in rows


def test_the_yaml_above_is_what_was_said(hostile: Registry) -> None:
    told = front(hostile.model_card(HOSTILE))
    assert told == {
        "tags": sorted([HOSTILE, "---", "yes", "a: b"]),
        "datasets": [HOSTILE],
        "metrics": [HOSTILE],
    }, "no library and no task of more than one word"


texts = st.sampled_from(
    [HOSTILE, "-", "+ a", "1. a", "12) b", "===", "---", "***", "    a", "\t", "\\", "a  \nb", "\n\n", "> a"]
)
texts |= st.text(st.sampled_from("ab1 \n\t\\`*_{}[]<>()#+-.!|~$@&=:;\"'/é🦉\x00\u202e\u2028"), max_size=30)


def plain(html: str) -> str:
    """The text of a page."""
    return unescape(re.sub(r"<[^>]*>", "", html)).replace("\u2060", "")


def one_line(text: str) -> str:
    return re.sub("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]", "\ufffd", " ".join(text.split()))


@given(texts)
@example(HOSTILE)
def test_a_text_in_a_cell_is_shown_as_it_is(text: str) -> None:
    html = MARKDOWN.render("\n".join(table(("a", "b"), [[text, "end"]])))
    assert set(re.findall(r"</?(\w+)", html)) == {"table", "thead", "tbody", "tr", "th", "td"}
    told = re.findall(r"<td>(.*?)</td>", html)
    assert [plain(each) for each in told] == [one_line(text), "end"]


@given(texts)
@example("a\n---\nb\n\n\n  c")
@example("1) a\n-\n=\n+")
def test_a_text_of_many_lines_is_paragraphs_of_lines(text: str) -> None:
    html = MARKDOWN.render("\n\n".join(paragraphs(text)))
    assert set(re.findall(r"</?(\w+)", html)) <= {"p", "br"}
    assert plain(html).split() == [word for line in text.splitlines() for word in one_line(line).split()]


def test_long_values_and_long_tables_are_cut(registry: Registry) -> None:
    registry.create_model("m", metadata={f"k{number:03}": "x" * 400 for number in range(250)}).create_version("1")
    rows = cells(sections(registry.model_card("m"))["Metadata"])
    assert rows[1] == ["k000", f"{'x' * 299}…"]
    assert (len(rows), rows[-1]) == (202, ["… 50 more", ""])


# --- secrets ----------------------------------------------------------------------------------------------------------


def test_no_secret_is_told(registry: Registry) -> None:
    secret = "s3cr3t"
    model = registry.create_model(
        "m",
        description=f"see https://ana:{secret}@host/x and https://{secret}@host, s3://b/x?X-Amz-Signature={secret}&a=1",
        metadata={
            "api_key": secret,
            "apiKey": secret,
            "tracker": f"https://host/run?token={secret}",
            "deep": {"list": [{"PASSWORD": secret}, f"https://u:{secret}@h/"], "git-token": secret, "key_size": 3},
            "hyperparameters": {"token": secret, "lr": 0.1},
        },
        tags=[f"https://u:{secret}@h"],
    )
    with registry.experiment("e", params={"secret": secret, "url": f"ssh://a:{secret}@h/x"}, code=False) as experiment:
        version = experiment.checkpoint(b"w", step=1).promote(model, "1")
    version.add_dataset(f"https://u:{secret}@host/d", role="train", name=f"https://u:{secret}@host/d")
    version.track(f"https://host/w.npz?sig={secret}", name="w")
    card = registry.model_card("m")
    assert secret not in card
    rows = dict(row[:2] for row in cells(sections(card)["Metadata"]))
    assert (rows["api_key"], rows["apiKey"], rows["deep.git-token"], rows["deep.key_size"]) == (
        *["(not shown)"] * 3,
        "3",
    )
    assert rows["tracker"] == "https://host/run?token=…"
    assert "see https://host/x and https://host, s3://b/x?X-Amz-Signature=…&amp;a=1" in card


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("/home/ana/w.npz", "w.npz"),
        ("~/w.npz", "w.npz"),
        ("C:\\models\\w.npz", "w.npz"),
        ("file:///home/ana/w.npz", "w.npz"),
        ("data/w.npz", "data/w.npz"),
        ("s3://bucket/w.npz", "s3://bucket/w.npz"),
        ("doi:10.5281/zenodo.1", "doi:10.5281/zenodo.1"),
        ("https://a:b@host/w.npz", "https://host/w.npz"),
    ],
)
def test_of_a_path_of_one_machine_only_its_last_part_is_told(said: str, told: str) -> None:
    assert place(said) == told


@pytest.mark.parametrize(
    "text", ["git@host:team/p.git", "ssh://git@host/p.git", "mail ana@example.org", "a?key=1", "s3://b/x?part=1"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert public(text) == text


# --- which version ----------------------------------------------------------------------------------------------------


def test_a_version_that_is_not_there_has_no_card(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="no model 'm'"):
        registry.model_card("m")
    registry.create_model("m")
    with pytest.raises(NotFoundError, match="has no version yet"):
        registry.model_card("m")


def test_in_a_transaction_it_tells_what_that_did_and_elsewhere_its_namespace(registry: Registry) -> None:
    with registry.transaction():
        version: ModelVersion = registry.create_model("m").create_version("1", description="new")
        assert "\nnew\n" in registry.model_card(version)
    registry.namespace("vision").create_model("m").create_version("2")
    told = registry.namespace("vision").model_card("m")
    assert 'registry = localreg.open("REGISTRY", namespace="vision")\n' in told
    assert 'get_version("m@2")' in told
