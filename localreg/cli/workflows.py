"""`localreg workflows`, `cases`, `suites`, `runs`: what is tested, on what, and what was run."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion
from localreg.cli.archiving import add_archiving
from localreg.cli.listing import All, Archived, Columns, Limit, OrderBy, Search, Where, archived_or_not, shown
from localreg.cli.output import Card, Listing, Rows
from localreg.cli.place import examples, new_group, reading, writing
from localreg.errors import NotFoundError

if TYPE_CHECKING:
    from localreg.query import Result
    from localreg.registry import Registry
    from localreg.workflow.stored import StoredTestCase, StoredTestSuite

__all__ = ["cases", "runs", "suites", "workflows"]

WORKFLOWS = ("name", "created_at", "created_by")
CASES = ("name", "workflow", "version", "samples", "description")
SUITES = ("name", "workflow", "version", "test_cases", "tags", "description")
RUNS = ("model", "version", "test_suite", "test_suite_version", "evaluator", "created_at")

NAME = typer.Argument(metavar="NAME", help="One that begins with - goes after --.")
Name = Annotated[str, NAME]
Model = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A model, MODEL@VERSION or MODEL@ALIAS.", autocompletion=completion.models),
]
Suite = Annotated[
    str, typer.Argument(metavar="SUITE", help="Name of the test suite.", autocompletion=completion.suites)
]
Force = Annotated[bool, typer.Option("--force", help="With all that depends on it, in one commit.")]

workflows = new_group(
    "Problem types: the types of samples, ground truths and inferences.", epilog=examples("localreg workflows list")
)
cases = new_group(
    "Test cases: named, versioned sets of samples with their ground truths.", epilog=examples("localreg cases list")
)
suites = new_group("Test suites: named, versioned lists of test cases.", epilog=examples("localreg suites list"))
runs = new_group("Test runs: what a model version inferred on a suite.", epilog=examples("localreg runs list"))


@workflows.command("list", epilog=examples("localreg workflows list"))
@reading()
def list_workflows(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
) -> Listing:
    """List the workflows, in order of creation."""
    found = registry.workflows(where, search=search, order_by=order_by or None, limit=limit)
    return shown(found, columns, WORKFLOWS)


@workflows.command("show", epilog=examples("localreg workflows show Plates --format json"))
@reading()
def show_workflow(registry: "Registry", name: Name) -> Card:
    """Show a workflow with the schemas of its types."""
    return Card(Rows.of(registry.workflows(f"id = '{registry.get_workflow(name).id}'")))


@workflows.command("delete", epilog=examples("localreg workflows delete Plates --force"))
@writing
def delete_workflow(registry: "Registry", name: Name, force: Force = False) -> str:
    """Delete a workflow; without --force only one that nothing depends on. Its models stay."""
    registry.get_workflow(name).delete(force=force)
    return f"deleted workflow {name!r}"


def _add_versioned(
    group: typer.Typer,
    noun: str,
    get: "Callable[[Registry, str], StoredTestCase | StoredTestSuite]",
    listed: "Callable[..., Callable[..., Result]]",
    *,
    usual: tuple[str, ...],
    free: str,
    example: str,
    listing: str,
) -> None:
    """The commands that test cases and test suites have in common.

    Args:
        group: of commands.
        noun: what it is about, such as `test case`.
        get: the handle of that name.
        listed: the method of a registry that lists them.
        usual: columns that a listing shows.
        free: which of them can be deleted without --force.
        example: a name that the examples are about.
        listing: options of a listing, for an example.
    """
    program = f"localreg {noun.split()[-1]}s"

    @group.command(
        "list",
        help=f"List the {noun}s, in order of creation.",
        epilog=examples(f"{program} list", f"{program} list {listing}"),
    )
    @reading()
    def list_them(
        registry: "Registry",
        where: Where = None,
        search: Search = None,
        order_by: OrderBy = None,
        limit: Limit = None,
        archived: Archived = False,
        all: All = False,
        columns: Columns = None,
    ) -> Listing:
        wanted = archived_or_not(archived, all)
        found = listed(registry)(where, search=search, order_by=order_by or None, limit=limit, archived=wanted)
        return shown(found, columns, usual)

    @group.command("show", help=f"Show a {noun}.", epilog=examples(f"{program} show {example}"))
    @reading()
    def show(registry: "Registry", name: Name) -> Card:
        return Card(Rows.of(listed(registry)(f"id = '{get(registry, name).id}'", archived=None)))

    add_archiving(group, noun, get, argument=NAME, example=example)

    @group.command(
        "delete",
        help=f"Delete a {noun}; without --force only one {free}.",
        epilog=examples(f"{program} delete {example} --force"),
    )
    @writing
    def delete(registry: "Registry", name: Name, force: Force = False) -> str:
        get(registry, name).delete(force=force)
        return f"deleted {noun} {name!r}"


_add_versioned(
    cases,
    "test case",
    lambda registry, name: registry.get_test_case(name),
    lambda registry: registry.test_cases,
    usual=CASES,
    free="that no test suite holds",
    example="day",
    listing="--where 'samples > 5'",
)
_add_versioned(
    suites,
    "test suite",
    lambda registry, name: registry.get_test_suite(name),
    lambda registry: registry.test_suites,
    usual=SUITES,
    free="without test runs",
    example="plates",
    listing="--search plates",
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


@runs.command("delete", epilog=examples("localreg runs delete meadow-5 plates"))
@writing
def delete_run(registry: "Registry", model: Model, suite: Suite) -> str:
    """Delete the newest run of a model version on a test suite, with the inferences that it made."""
    run = _newest_run(registry, model, suite).dicts()[0]
    registry.get_test_run(run["id"]).delete()
    return f"deleted the run of {run['model']!r}, version {run['version']!r}, on {run['test_suite']!r}"


@runs.command("show", epilog=examples("localreg runs show meadow-5 plates"))
@reading()
def show_run(registry: "Registry", model: Model, suite: Suite) -> Card:
    """Show the newest run of a model version on a test suite, what it inferred, and with what code."""
    run = _newest_run(registry, model, suite)
    made = registry.facets("inferences", by="status", where=f"test_run = '{run.dicts()[0]['id']}'")
    told = ", ".join(f"{row['count']} {row['value']}" for row in made) or "none of its own"
    return Card(Rows.of(run), told={"inferences": told})


def _newest_run(registry: "Registry", model: str, suite: str) -> "Result":
    version = registry.get_version(model)
    found = registry.sql(
        "FROM test_runs WHERE model = ? AND version = ? AND test_suite = ? "
        "ORDER BY test_suite_version DESC, created_at DESC LIMIT 1",
        [version.model.name, version.version, registry.get_test_suite(suite).name],
    )
    if not found:
        raise NotFoundError(f"model {version.model.name!r}, version {version.version!r}, was never run on {suite!r}")
    return found
