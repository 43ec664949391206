"""Questions to the whole registry: `audit`, `facets`, `verify`, `sql`."""

from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion
from localreg.cli.listing import AllNamespaces, Columns, Limit, OrderBy, Search, Where, one_or_all, shown
from localreg.cli.output import Listing, Report, Rows
from localreg.cli.place import examples, reading
from localreg.errors import NotFoundError
from localreg.written import commit_or_text

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["app"]

HISTORY = ("commit", "time", "actor", "action", "kind", "name", "details", "message")

app = typer.Typer(rich_markup_mode=None)


@app.command(
    "audit",
    epilog=examples(
        "localreg audit --kind model --name meadow-5",
        "localreg audit --since 2026-03-01T00:00:00Z --format csv",
        "localreg audit --search 'alias production' --order-by 'commit DESC' --limit 5",
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
    until: Annotated[
        str | None, typer.Option(metavar="N|TIME", help="Only commits up to number N, or events up to a time.")
    ] = None,
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
    all_namespaces: AllNamespaces = False,
) -> Listing:
    """Show who did what, in order of commit.

    json and csv hold the records before and after each event, too.
    """
    start, end = (None if each is None else commit_or_text(each) for each in (since, until))
    found = one_or_all(registry, all_namespaces).audit(
        where,
        kind=kind,
        name=name,
        actor=by,
        since=start,
        until=end,
        search=search,
        order_by=order_by or None,
        limit=limit,
    )
    return shown(found, columns, ("namespace", *HISTORY) if all_namespaces else HISTORY)


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
    place = one_or_all(registry, all_namespaces)
    return Rows.of(place.facets(table, by=by, where=where, search=search, limit=limit))


@app.command("verify", epilog=examples("localreg verify", "localreg verify --namespace default --format json"))
@reading(past=False, tells=True)
def verify(
    registry: "Registry",
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="COMMIT|TIME", help="Only what came after this commit, and its files."),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="DIGEST", help="Noted elsewhere: the log must have an event of this digest."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a check was stopped: files found sound are not read again.")
    ] = False,
) -> Report:
    """Check every digest and file of the namespace. Exit code 1 if there is damage: a line each, naming its file."""
    begin = None if since is None else commit_or_text(since)
    report = registry.verify(since=begin, expect=expect, resume=resume)
    if not report.commits and report.ok and begin is None:
        raise NotFoundError(
            f"nothing was committed in namespace {registry.namespace_name!r} of {registry.uri}, so that nothing was "
            "checked; `localreg namespaces list` lists those that there are"
        )
    keep = f"digest {report.digest}; keep it elsewhere, and --expect tells whether the log still has it"
    return Report(report, report.problems, ("path", "code", "message"), keep if report.ok and report.digest else "")


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

    Tables: models, model_versions, model_metrics, workflows, test_cases, test_suites, test_runs, comparisons,
    experiments, checkpoints, metric_points, artifacts, datasets, definitions, lineage, ancestors, events, policies,
    pending_actions, grants, signers, test_samples, ground_truths, inferences, embeddings, metric_values,
    sample_metrics, plots, audit_events.
    DESCRIBE models tells the columns of one. "plates".inferences is the table of a workflow of that name, with a column
    for each of its own fields.
    """
    return Rows.of(one_or_all(registry, all_namespaces).sql(query))
