"""The sections of a card, in their order: each gives lines of Markdown, or none if nothing is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from localreg.cards.facts import Evaluated, Facts, KeptFile
from localreg.cards.texts import commit_text, date, grid, line, number, place, public, rows_of, shown
from localreg.definitions.repositories import Repository
from localreg.handles.words import noun, readable_bytes
from localreg.markdown import paragraphs
from localreg.names import WELL_KNOWN, amount

__all__ = ["METRICS_LEFT_OUT", "SECTIONS"]

METRICS_LEFT_OUT = ("n", "left_out")
"""What evaluators count beside their metrics: the card tells the samples in words."""
DEFAULT = "default"
"""The namespace that need not be named."""
MOST_METRICS = 40
"""Of one evaluation; beyond that it is a table for programs."""


def about(facts: Facts) -> Iterator[str]:
    """Description, and what names the version."""
    for text in dict.fromkeys((facts.model.description, facts.version.description)):
        for each in paragraphs(public(text or "")):
            yield from [each, ""]
    content = None if facts.definition is None else f"sha256 {facts.definition.content}"
    rows = {
        "Version": facts.version.name + (" (the newest)" if facts.is_newest else ""),
        "Aliases": ", ".join(facts.aliases),
        "Task": facts.model.task,
        "Tags": ", ".join(facts.tags),
        "Owner": facts.model.owner,
        "Registered": f"{date(facts.row.created_at)} by {facts.row.created_by}",
        "Content": content,
    }
    yield from grid(("Model", facts.model.name), _told(rows))


def usage(facts: Facts) -> Iterator[str]:
    """How it is loaded."""
    reference = json.dumps(f"{facts.model.name}@{facts.version.name}", ensure_ascii=False)  # as Python reads it, too
    namespace = facts.version._session.namespace
    where = "" if namespace == DEFAULT else f', namespace="{namespace}"'
    yield from ["```python", "import localreg", "", f'registry = localreg.open("REGISTRY"{where})']
    if facts.definition is None:
        yield from [f"version = registry.get_version({reference})", "```", ""]
        return
    yield f"with registry.load({reference}) as model:"
    yield from ["    predictions = model.predict(datapoints)", "```", ""]
    keys = None if facts.runtime is None else facts.runtime.predict.output.keys
    if keys:
        yield from [f"Each prediction has {_listed(keys)}.", ""]
    needed = facts.variables()
    if needed:
        yield from [f"To be set in the environment: {_listed(needed)}.", ""]


def _listed(names: Sequence[str]) -> str:
    *others, last = map(line, names)
    return f"{', '.join(others)} and {last}" if others else last


# --- what it is worth -------------------------------------------------------------------------------------------------


def metrics(facts: Facts) -> Iterator[str]:
    """What evaluators computed, suite by suite; then what was said."""
    for each in facts.evaluated:
        yield from _evaluation(each)
    rows = [
        [name, number(value), "" if each.dataset is each.suite is None else _subject(each.dataset, each.suite)]
        for each in facts.said
        for name, value in each.values.items()
    ]
    if rows:
        yield from ["As stated, not computed here:", "", *grid(("Metric", "Value", "On"), rows)]


def _subject(dataset: str | None, suite: str | None) -> str:
    return f"data set {dataset}" if suite is None else f"test suite {suite}"


def _evaluation(it: Evaluated) -> Iterator[str]:
    by = f", by {line(it.run.record.evaluator)}" if it.run.record.evaluator else ""
    configured = f" ({line(it.configuration)})" if it.configuration else ""
    yield from [f"### Test suite {line(it.run.suite)}, version {it.run.version}{by}{configured}", ""]
    left_out = [
        f"{getattr(it.coverage, name):,} {name}" for name in ("failed", "missing") if getattr(it.coverage, name)
    ]
    skipped = f", of which the model skipped {it.coverage.skipped:,}" if it.coverage.skipped else ""
    less = f"; {' and '.join(left_out)} left out" if left_out else ""
    yield from [f"{amount(it.coverage.evaluated, 'sample')}{skipped}{less}.", ""]
    rows = [[name, number(value)] for name, value in _flat(it.suite)]
    yield from grid(("Metric", "Value"), rows[:MOST_METRICS])
    of_cases = {case: dict(_flat(values)) for case, values in it.cases.items()}
    names = list(dict.fromkeys(name for values in of_cases.values() for name in values))[:8]
    cases = [[case, *(number(values.get(name)) for name in names)] for case, values in of_cases.items()]
    if names and not (rows and len(cases) == 1):  # one test case is the suite once more
        yield from grid(("Test case", *names), cases)


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    """The numbers among metrics, those within objects by their paths; lists, such as of classes, are left out."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and (path or name not in METRICS_LEFT_OUT):
            yield f"{path}{name}", value


def determinism(facts: Facts) -> Iterator[str]:
    """What trying it again has shown."""
    verdict = facts.version.determinism
    if verdict is not None:
        yield from [f"{verdict.in_words[0].upper()}{line(verdict.in_words[1:])}.", ""]
        yield from grid(("What differed", "What stayed the same"), [list(each) for each in verdict.variations.items()])


# --- what it was made of ----------------------------------------------------------------------------------------------


def training(facts: Facts) -> Iterator[str]:
    """The experiment and checkpoint that it was made of; hyperparameters."""
    trained = facts.trained
    if trained is not None:
        told = trained.experiment
        yield from [f"Made of checkpoint {line(trained.name)} of experiment {line(told.name)}.", ""]
        yield from grid(("Metric of the checkpoint", "Value"), [[k, number(v)] for k, v in trained.metrics.items()])
    params = {} if trained is None else trained.experiment.params
    said = facts.metadata.get("hyperparameters")
    merged = {**params, **(said if isinstance(said, Mapping) else {})}
    yield from grid(("Hyperparameter", "Value"), list(rows_of(merged)))


def data(facts: Facts) -> Iterator[str]:
    """The data sets that it was trained and evaluated on."""
    rows = []
    for each in facts.datasets:
        artifact = each.artifact
        where = place(each.uri) if each.uri else "" if artifact is None else f"artifact {artifact.name}"
        rows.append([each.name, each.role, where, each.sha256 or "", each.description or ""])
    yield from grid(*_filled(("Data set", "Role", "Where", "sha256", "Description"), rows))


def described(facts: Facts) -> Iterator[str]:
    """Metadata, what is well known first; hyperparameters stand with the training."""
    kept = {key: value for key, value in facts.metadata.items() if not _is_params(key, value)}
    known = [key for key in WELL_KNOWN if key in kept]
    ordered = {key: kept[key] for key in [*known, *sorted(kept.keys() - set(known))]}
    if isinstance(ordered.get("weights"), str):
        ordered["weights"] = place(ordered["weights"])
    yield from grid(("Key", "Value"), list(rows_of(ordered)))


def _is_params(key: str, value: object) -> bool:
    return key == "hyperparameters" and isinstance(value, Mapping)


def files(facts: Facts) -> Iterator[str]:
    """Code and files, with their digests."""
    yield from _code(facts)
    rows = [[each.name, *_file(each)] for each in facts.files]
    yield from grid(*_filled(("File", "Where", "Size", "sha256"), rows))


def _code(facts: Facts) -> Iterator[str]:
    if facts.definition is None:
        return
    repository: Any = facts.definition.repository
    code: Any = facts.definition.code
    if repository is not None:
        url = str(repository["url"])
        where = place(url) if Repository(url).path else url
        asked = f"branch {repository['branch']}" if repository.get("branch") else "its newest commit"
        at = f"commit {repository['commit']}" if repository.get("commit") else repository.get("hash") or asked
        yield from [f"Its code is in the git repository {line(where)}, {line(at)}.", ""]
    elif code is not None:
        commit = commit_text(code.get("git"))
        at = f"; git commit {commit}" if commit else ""
        size = f"{amount(code['files'], 'file')}, {readable_bytes(code['bytes'])}"
        yield from [
            f"Its code is in the registry: {size}, sha256 {code['sha256']}{at}.",
            "",
        ]


def _file(it: KeptFile) -> tuple[str, str, str]:
    record = it.record
    where = f"{place(record.uri)} (not in the registry)" if record.uri else it.url or ""
    size = "" if record.bytes is None else readable_bytes(record.bytes)
    files = f", {amount(record.files, 'file')}" if record.folder and record.files is not None else ""
    return where, f"{size}{files}", record.sha256 or ""


def runtime(facts: Facts) -> Iterator[str]:
    """How it is run, in short."""
    it = facts.runtime
    if it is None:
        return
    rows = {
        "Image": it.image,
        "Device": it.device,
        "Batch": None if it.batch is None else f"at most {it.batch.max_size:,}",
        "Load": None if it.load is None else it.load.entrypoint,
        "Predict": it.predict.entrypoint,
    }
    yield from grid(("Runtime", ""), _told({key: None if each is None else public(each) for key, each in rows.items()}))


def environment(facts: Facts) -> Iterator[str]:
    """What the newest test run ran in."""
    if not facts.runs:
        return
    run = max(facts.runs, key=lambda each: each.row.created)
    told: Any = run.record.fingerprint
    packages, code = told.get("packages"), told.get("infer")
    content = None if facts.definition is None else facts.definition.content
    yield from [
        f"Of the newest test run, on test suite {line(run.suite)}, version {run.version}, "
        f"{date(run.row.created_at)}, by {line(run.row.created_by)}:",
        "",
    ]
    rows = {
        "Python": told.get("python"),
        "Platform": " ".join(str(told[key]) for key in ("platform", "machine") if told.get(key)),
        "Packages": f"{len(packages):,} loaded" if isinstance(packages, Mapping) else None,
        "Commit": commit_text(told.get("git")),
        "Code": f"sha256 {code}" if code is not None and code != content else None,
        "Seed": None if told.get("seed") is None else shown(told["seed"]),
    }
    yield from grid(("Environment", ""), _told(rows))


# --- what it came of --------------------------------------------------------------------------------------------------

SENTENCES: Final = {
    "holds": "{target} is {source}",
    "trains": "{target} was trained on {source}",
    "evaluates": "{target} was evaluated on {source}",
    "saves": "{source} saved {target}",
    "becomes": "{source} became {target}",
    "takes": "{source} was tested by {target}",
}
NOUNS: Final = {"model_version": "version", "test_suite_version": "test suite"}


def lineage(facts: Facts) -> Iterator[str]:
    """What it came of, and what was made of it, from the data to the test runs."""
    told = [edge for edge in facts.lineage if edge["relation"] in SENTENCES]
    for title, found in (
        ("What it came of:", [edge for edge in told if edge["depth"] < 0]),
        ("What was made of it:", [edge for edge in told if edge["depth"] > 0]),
    ):
        if found:
            yield from [title, "", *(f"- {_edge(edge)}" for edge in found), ""]


def _edge(edge: Mapping[str, Any]) -> str:
    named = {
        side: f"{NOUNS.get(edge[f'{side}_kind']) or noun(edge[f'{side}_kind'])} {line(edge[side])}"
        for side in ("source", "target")
    }
    return SENTENCES[edge["relation"]].format(**named)


# --- tables -----------------------------------------------------------------------------------------------------------


def _told(rows: Mapping[str, str | None]) -> list[list[str]]:
    """The rows of which something is known."""
    return [[name, value] for name, value in rows.items() if value]


def _filled(head: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """The columns in which something stands."""
    kept = [place for place, _ in enumerate(head) if any(row[place] for row in rows)]
    return [head[place] for place in kept], [[row[place] for place in kept] for row in rows]


SECTIONS: Final[Sequence[tuple[str, Callable[[Facts], Iterator[str]]]]] = (
    ("", about),
    ("Usage", usage),
    ("Metrics", metrics),
    ("Determinism", determinism),
    ("Training", training),
    ("Data sets", data),
    ("Metadata", described),
    ("Code and files", files),
    ("Runtime", runtime),
    ("Environment", environment),
    ("Lineage", lineage),
)
