"""`localreg workflows`, `cases`, `suites`, `runs`: what is tested, on what, and what was run."""

from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli import completion
from localreg.cli.listing import All, Archived, Columns, Limit, OrderBy, Search, Where, archived_or_not, shown
from localreg.cli.output import Card, Rows
from localreg.cli.place import examples, new_group, reading, writing
from localreg.errors import NotFoundError

if TYPE_CHECKING:
    from localreg.query import Result
    from localreg.registry import Registry

__all__ = ["cases", "runs", "suites", "workflows"]

WORKFLOWS = ("name", "created_at", "created_by")
CASES = ("name", "workflow", "version", "samples", "description")
SUITES = ("name", "workflow", "version", "test_cases", "tags", "description")
RUNS = ("model", "version", "test_suite", "test_suite_version", "evaluator", "created_at")

Name = Annotated[str, typer.Argument(metavar="NAME", help="One that begins with - goes after --.")]
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
) -> Rows:
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


@cases.command("list", epilog=examples("localreg cases list", "localreg cases list --where 'samples > 5'"))
@reading()
def list_cases(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    archived: Archived = False,
    all: All = False,
    columns: Columns = None,
) -> Rows:
    """List the test cases, in order of creation."""
    found = registry.test_cases(
        where, search=search, order_by=order_by or None, limit=limit, archived=archived_or_not(archived, all)
    )
    return shown(found, columns, CASES)


@cases.command("show", epilog=examples("localreg cases show day"))
@reading()
def show_case(registry: "Registry", name: Name) -> Card:
    """Show a test case."""
    return Card(Rows.of(registry.test_cases(f"id = '{registry.get_test_case(name).id}'", archived=None)))


@cases.command("archive", epilog=examples("localreg cases archive day"))
@writing
def archive_case(registry: "Registry", name: Name) -> str:
    """Hide a test case from listings; it is not locked."""
    return f"archived test case {registry.get_test_case(name).archive().name!r}"


@cases.command("restore", epilog=examples("localreg cases restore day"))
@writing
def restore_case(registry: "Registry", name: Name) -> str:
    """Show an archived test case in listings again."""
    return f"restored test case {registry.get_test_case(name).restore().name!r}"


@cases.command("delete", epilog=examples("localreg cases delete day --force"))
@writing
def delete_case(registry: "Registry", name: Name, force: Force = False) -> str:
    """Delete a test case; without --force only one that no test suite holds."""
    registry.get_test_case(name).delete(force=force)
    return f"deleted test case {name!r}"


@suites.command("list", epilog=examples("localreg suites list", "localreg suites list --search plates"))
@reading()
def list_suites(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    archived: Archived = False,
    all: All = False,
    columns: Columns = None,
) -> Rows:
    """List the test suites, in order of creation."""
    found = registry.test_suites(
        where, search=search, order_by=order_by or None, limit=limit, archived=archived_or_not(archived, all)
    )
    return shown(found, columns, SUITES)


@suites.command("show", epilog=examples("localreg suites show plates"))
@reading()
def show_suite(registry: "Registry", name: Name) -> Card:
    """Show a test suite."""
    return Card(Rows.of(registry.test_suites(f"id = '{registry.get_test_suite(name).id}'", archived=None)))


@suites.command("archive", epilog=examples("localreg suites archive plates"))
@writing
def archive_suite(registry: "Registry", name: Name) -> str:
    """Hide a test suite from listings; it is not locked."""
    return f"archived test suite {registry.get_test_suite(name).archive().name!r}"


@suites.command("restore", epilog=examples("localreg suites restore plates"))
@writing
def restore_suite(registry: "Registry", name: Name) -> str:
    """Show an archived test suite in listings again."""
    return f"restored test suite {registry.get_test_suite(name).restore().name!r}"


@suites.command("delete", epilog=examples("localreg suites delete plates --force"))
@writing
def delete_suite(registry: "Registry", name: Name, force: Force = False) -> str:
    """Delete a test suite; without --force only one without test runs."""
    registry.get_test_suite(name).delete(force=force)
    return f"deleted test suite {name!r}"


@runs.command("list", epilog=examples("localreg runs list", "localreg runs list --where \"model = 'meadow-5'\""))
@reading()
def list_runs(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
) -> Rows:
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
    """Show the newest run of a model version on a test suite, with the fingerprint of the code that ran."""
    return Card(Rows.of(_newest_run(registry, model, suite)))


def _newest_run(registry: "Registry", model: str, suite: str) -> "Result":
    version = registry.get_version(model)
    found = registry.sql(
        "FROM test_runs WHERE model = ? AND version = ? AND test_suite = ? ORDER BY test_suite_version DESC LIMIT 1",
        [version.model.name, version.version, registry.get_test_suite(suite).name],
    )
    if not found:
        raise NotFoundError(f"model {version.model.name!r}, version {version.version!r}, was never run on {suite!r}")
    return found
