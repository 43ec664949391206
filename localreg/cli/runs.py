"""`localreg runs`: which model version was run on which suite, what came of it, and with what code."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localreg.cli import completion
from localreg.cli.listing import Columns, Limit, OrderBy, Search, Where, shown
from localreg.cli.output import Card, Listing, Rows
from localreg.cli.place import examples, new_group, reading, writing
from localreg.errors import InvalidInputError, NotFoundError
from localreg.names import amount

if TYPE_CHECKING:
    from localreg.registry import Registry
    from localreg.workflow.evaluation_results import EvaluationView
    from localreg.workflow.stored import StoredTestRun

__all__ = ["code_in_words", "runs"]

RUNS = ("id", "model", "version", "test_suite", "test_suite_version", "evaluator", "created_at")
ERROR = ("type", "message", "traceback")

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Id of a run, or its beginning; or, followed by a suite, MODEL, MODEL@VERSION or MODEL@ALIAS.",
        autocompletion=completion.models,
    ),
]
Suite = Annotated[
    str | None,
    typer.Argument(
        metavar="SUITE", help="Name of a test suite: the newest run on it.", autocompletion=completion.suites
    ),
]

runs = new_group(
    "Test runs: what a model version inferred on a suite, and what an evaluator said of it.",
    epilog=examples("localreg runs list", "localreg runs show meadow-5 plates"),
)


@runs.command("list", epilog=examples("localreg runs list", "localreg runs list --where \"model = 'meadow-5'\""))
@reading()
def list_runs(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
) -> Listing:
    """List the test runs, in order of creation."""
    found = registry.test_runs(where, search=search, order_by=order_by or None, limit=limit)
    return shown(found, columns, RUNS)


@runs.command("show", epilog=examples("localreg runs show meadow-5 plates"))
@reading()
def show_run(registry: "Registry", run: Run, suite: Suite = None) -> Card:
    """Show a test run: of what, how many samples went how, how it was evaluated, and with what code.

    Samples are counted whatever run of that model version inferred them; those that are missing, the next run infers.
    """
    found = _found(registry, run, suite)
    row = Rows.of(registry.test_runs(f"id = '{found.id}'"))
    counts = found.counts()
    configurations = [name or "without any" for name in found.configurations()]
    told = {
        "fingerprint": "; ".join(code_in_words(row.json()[0]["fingerprint"])),
        "samples": ", ".join(f"{count:,} {status}" for status, count in counts.items() if count),
        "configurations": ", ".join(configurations),
    }
    return Card(row, told=told, more={"samples": counts, "configurations": found.configurations()})


def code_in_words(fingerprint: Any) -> Iterator[str]:
    """A fingerprint in words."""
    if not fingerprint:
        yield "unknown: the inferences were made elsewhere"
        return
    yield f"Python {fingerprint['python']} on {fingerprint['platform']} {fingerprint['machine']}"
    git = fingerprint.get("git")
    if git:
        yield f"git {git['commit'][:12]}{' with uncommitted changes' if git['dirty'] else ''}"
    if fingerprint.get("infer"):
        yield f"infer {fingerprint['infer'][:12]}"
    weights = fingerprint.get("weights")
    if weights:
        yield f"weights {weights['sha256'][:12]} of {weights['bytes']:,} bytes"
    for name, file in (fingerprint.get("files") or {}).items():
        size = "" if file["bytes"] is None else f" of {file['bytes']:,} bytes"
        yield f"{name} {(file['sha256'] or 'unknown')[:12]}{size}"
    if "seed" in fingerprint:
        yield f"seed {fingerprint['seed']}"
    packages = fingerprint.get("packages")
    if packages:
        yield f"{len(packages)} packages, which --format json names"


@runs.command(
    "errors",
    epilog=examples("localreg runs errors meadow-4 glare", "localreg runs errors meadow-4 glare --traceback"),
)
@reading()
def show_errors(
    registry: "Registry",
    run: Run,
    suite: Suite = None,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Each with its traceback, which json and csv always have.")
    ] = False,
) -> "Errors":
    """List the samples for which the model raised an exception, with what it was.

    The next run tries them again.
    """
    errors = _found(registry, run, suite).errors()
    rows = [(sample, *(error[name] for name in ERROR)) for sample, error in errors]
    return Errors(("sample", *ERROR), rows, shown=("sample", "type", "message"), traceback=traceback)


@dataclass(frozen=True)
class Errors(Rows):
    """Samples that failed.

    Attributes:
        traceback: whether a table tells each in full.
    """

    traceback: bool = False

    def lines(self) -> Iterator[str]:
        """A table; or each sample, and what was raised, line by line."""
        from localreg.query.text import cell

        if not self.traceback or not self.rows:
            yield from super().lines()
            return
        for sample, _, _, traceback in self.rows:
            yield f"sample {cell(sample)}"
            yield from (f"  {cell(line)}".rstrip() for line in str(traceback).splitlines())


@runs.command("changed", epilog=examples("localreg runs changed meadow-5 plates"))
@reading()
def show_changed_files(registry: "Registry", run: Run, suite: Suite = None) -> Rows:
    """List the local files that hold other bytes now than when the model inferred their samples.

    Relative ones are looked for from here. What is stored stays in use until a run with reset=True.
    """
    changed = _found(registry, run, suite).changed_files()
    rows = [(each.sample, each.locator, each.was, each.now) for each in changed]
    return Rows(("sample", "locator", "was", "now"), rows)


@runs.command(
    "results",
    epilog=examples(
        "localreg runs results meadow-5 plates",
        "localreg runs results meadow-5 plates --configuration strict --format json",
    ),
)
@reading()
def show_results(
    registry: "Registry",
    run: Run,
    suite: Suite = None,
    configuration: Annotated[
        str | None, typer.Option(metavar="NAME", help="Evaluated with this one; else with all.")
    ] = None,
) -> "Results":
    """Show the metrics of each test case, and of the suite, as the run's evaluator computed them.

    In SQL they are the table metric_values.
    """
    found = _found(registry, run, suite)
    known = found.configurations()
    wanted = known if configuration is None and len(known) > 1 else [configuration]
    return Results([found.results(name) for name in wanted])


@dataclass(frozen=True)
class Results:
    """What an evaluator said, with one configuration or several."""

    views: "Sequence[EvaluationView]"
    ok: bool = True

    def lines(self) -> Iterator[str]:
        """A table for each configuration."""
        for number, view in enumerate(self.views):
            left_out = {name: getattr(view.coverage, name) for name in ("failed", "missing")}
            told = "".join(f", {count:,} {name} left out" for name, count in left_out.items() if count)
            named = "" if view.configuration is None else f"configuration {view.configuration!r}, "
            if number:
                yield ""
            yield f"{named}{amount(view.coverage.evaluated, 'sample')}{told}"
            yield from _table([view]).lines()

    def json(self) -> list[dict[str, object]]:
        """The same by name, and the metrics as they were nested."""
        return [
            {
                "configuration": view.configuration,
                "settings": view.settings,
                "coverage": view.coverage._asdict(),
                "suite": view.suite,
                "cases": view.cases,
            }
            for view in self.views
        ]

    def csv(self) -> Rows:
        """One table, with the configuration of each row."""
        table = _table(self.views)
        named = [view.configuration for view in self.views for _ in _told(view)]
        rows = [(name, *row) for name, row in zip(named, table.rows, strict=True)]
        return Rows(("configuration", *table.columns), rows)


def _told(view: "EvaluationView") -> list[tuple[str | None, Mapping[str, object]]]:
    suite = [] if view.suite is None else [(None, view.suite)]  # as in `metric_values`
    return [*suite, *view.cases.items()]


def _table(views: "Sequence[EvaluationView]") -> Rows:
    """A row for each test case, a column for each metric; the suite, which has no test case, first."""
    told = [each for view in views for each in _told(view)]
    metrics = list(dict.fromkeys(name for _, values in told for name in values))
    return Rows(("test_case", *metrics), [[case, *(values.get(name) for name in metrics)] for case, values in told])


@runs.command("delete", epilog=examples("localreg runs delete meadow-5 plates"))
@writing
def delete_run(registry: "Registry", run: Run, suite: Suite = None) -> str:
    """Delete a test run, with its results and the inferences that it made."""
    found = _found(registry, run, suite)
    row = registry.test_runs(f"id = '{found.id}'").dicts()[0]
    found.delete()
    return f"deleted the run of {row['model']!r}, version {row['version']!r}, on {row['test_suite']!r}"


def _found(registry: "Registry", run: str, suite: str | None) -> "StoredTestRun":
    """The run of an id, or of the beginning of one; or the newest of a model version on a suite."""
    return registry.get_test_run(_id(registry, run) if suite is None else _newest(registry, run, suite))


def _id(registry: "Registry", beginning: str) -> str:
    found = registry.sql("SELECT id FROM test_runs WHERE starts_with(id, ?) LIMIT 2", [beginning.lower()]).dicts()
    if not found or not beginning:
        raise NotFoundError(
            f"no test run whose id begins with {beginning!r}; `localreg runs list` lists them, or name MODEL and SUITE"
        )
    if len(found) > 1:
        raise InvalidInputError(f"several test runs have an id that begins with {beginning!r}; write more of it")
    return str(found[0]["id"])


def _newest(registry: "Registry", model: str, suite: str) -> str:
    version = registry.get_version(model)
    found = registry.sql(
        "SELECT id FROM test_runs WHERE model = ? AND version = ? AND test_suite = ? "
        "ORDER BY test_suite_version DESC, created_at DESC LIMIT 1",
        [version.model.name, version.version, registry.get_test_suite(suite).name],
    ).dicts()
    if not found:
        raise NotFoundError(f"model {version.model.name!r}, version {version.version!r}, was never run on {suite!r}")
    return str(found[0]["id"])
