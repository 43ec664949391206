"""Questions to the whole registry: `audit`, `namespaces`, `facets`, `verify`, `sql`, `compare`."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion, values
from localreg.cli.listing import AllNamespaces, Columns, Limit, Search, Where, shown
from localreg.cli.output import Listing, Report, Rows
from localreg.cli.place import examples, reading

if TYPE_CHECKING:
    from localreg.compare import Comparison
    from localreg.registry import Registry

__all__ = ["app"]

HISTORY = ("commit", "time", "actor", "action", "kind", "name", "details", "message")

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "audit",
    epilog=examples(
        "localreg audit --kind model --name meadow-5",
        "localreg audit --since 2026-03-01T00:00:00Z --format csv",
    ),
)
@reading()
def audit(
    registry: "Registry",
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only events on this kind of record, such as model.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only events on records that had this name then.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Only what this actor did.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="N|TIME", help="Only commits after number N, or events at or after a time.")
    ] = None,
    columns: Columns = None,
    all_namespaces: AllNamespaces = False,
) -> Listing:
    """Show who did what, in order of commit.

    json and csv hold the records before and after each event, too.
    """
    start = None if since is None else values.commit_or_text(since)
    asked = registry.all() if all_namespaces else registry
    usual = ("namespace", *HISTORY) if all_namespaces else HISTORY
    return shown(asked.audit(kind=kind, name=name, actor=by, since=start), columns, usual)


@app.command("namespaces", epilog=examples("localreg namespaces"))
@reading(past=False)
def namespaces(registry: "Registry") -> Rows:
    """List the namespaces in which something was committed."""
    return Rows(("namespace",), [(name,) for name in registry.namespaces()])


@app.command(
    "facets",
    epilog=examples("localreg facets models --by metadata.framework", "localreg facets inferences --by status"),
)
@reading()
def facets(
    registry: "Registry",
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE", help="Such as models; localreg sql --help lists them.", autocompletion=completion.tables
        ),
    ],
    by: Annotated[str, typer.Option(metavar="EXPRESSION", help="A column, or a path such as metadata.framework.")],
    where: Where = None,
    search: Search = None,
    limit: Limit = None,
    all_namespaces: AllNamespaces = False,
) -> Rows:
    """Count the rows by a value: which values there are, the most frequent first."""
    asked = registry.all() if all_namespaces else registry
    return Rows.of(asked.facets(table, by=by, where=where, search=search, limit=limit))


@app.command("verify", epilog=examples("localreg verify", "localreg verify --namespace default --format json"))
@reading(past=False)
def verify(registry: "Registry") -> Report:
    """Check every digest and file of the namespace. Exit code 1 if there is damage: a line each, naming its file."""
    report = registry.verify()
    return Report(report, report.problems, ("path", "code", "message"))


@app.command(
    "sql",
    epilog=examples(
        "localreg sql \"SELECT name, metadata->>'framework' AS framework FROM models\"",
        'localreg sql "SELECT status, count(*) AS n FROM inferences GROUP BY status" --format json',
    ),
)
@reading()
def sql(
    registry: "Registry",
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT in DuckDB's SQL.")],
    all_namespaces: AllNamespaces = False,
) -> Rows:
    """Ask with SQL: it can only read, and only this registry.

    Tables: models, model_versions, workflows, test_cases, test_suites, test_runs, test_samples, ground_truths,
    inferences, embeddings, metric_values, sample_metrics, plots, audit_events. DESCRIBE models tells the columns of
    one. "plates".inferences is the table of a workflow of that name, with a column for each of its own fields.
    """
    return Rows.of((registry.all() if all_namespaces else registry).sql(query))


Reference = "a model (its newest version), MODEL@VERSION or MODEL@ALIAS."


@app.command(
    "compare",
    epilog=examples(
        "localreg compare meadow-4 meadow-5 --suite plates",
        "localreg compare meadow-5@1 meadow-5@production --suite plates --broken",
    ),
)
@reading()
def compare(
    registry: "Registry",
    baseline: Annotated[str, typer.Argument(metavar="BASELINE", help=Reference, autocompletion=completion.models)],
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="The one that might be better: likewise.")],
    suite: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the test suite.", autocompletion=completion.suites)
    ],
    fixed: Annotated[
        bool, typer.Option("--fixed", help="List the samples that only the candidate gets right.")
    ] = False,
    broken: Annotated[
        bool, typer.Option("--broken", help="List the samples that only the baseline gets right.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Count a sample without an inference as wrong, instead of leaving it out.")
    ] = False,
) -> "Compared":
    """Say whether the candidate is better than the baseline.

    Both are compared on one test suite, sample by sample, as their inferences stand in the registry.

    csv holds the metrics, or the listed samples in their stead; json holds everything.
    """
    return Compared(registry.compare(baseline, candidate, suite=suite, strict=strict), fixed=fixed, broken=broken)


@dataclass(frozen=True)
class Compared:
    """A comparison, and which samples of it to list."""

    comparison: "Comparison"
    fixed: bool
    broken: bool
    ok: bool = True

    def lines(self) -> Iterator[str]:
        """The summary; the test cases, if there are several; the samples that were asked for."""
        yield str(self.comparison)
        if len(self.comparison.rows) > 2:  # the suite's row comes first, and says the same as an only test case's
            yield from ["", *Rows.of(self.comparison.metrics).lines()]
        for title, samples in self._listed():
            yield from ["", f"{title}:", *samples.lines()]

    def json(self) -> dict[str, object]:
        """The comparison's attributes by their names."""
        it = self.comparison
        whole = {name: getattr(it, name) for name in ("baseline", "candidate", "suite", "suite_version", "strict")}
        total = {name: getattr(it, name) for name in ("n", "accuracy", "difference", "p", "verdict")}
        sides = dict(zip(("baseline", "candidate"), map(asdict, it.coverage), strict=True))
        rows = {name: Rows.of(getattr(it, name)).json() for name in ("metrics", "fixed", "broken")}
        return {**whole, **total, "coverage": sides, **rows}

    def csv(self) -> Rows:
        """One table: the metrics, or the samples."""
        listed = self._listed()
        if len(listed) > 1:
            raise typer.BadParameter("csv is one table: give --fixed or --broken", param_hint="--format")
        return listed[0][1] if listed else Rows.of(self.comparison.metrics)

    def _listed(self) -> list[tuple[str, Rows]]:
        asked = [("fixed", self.fixed), ("broken", self.broken)]
        return [(name, Rows.of(getattr(self.comparison, name))) for name, wanted in asked if wanted]
