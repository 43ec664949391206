"""`localreg workflows`, `cases`, `suites`: what is tested, and on what."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from localreg.cli import completion
from localreg.cli.listing import Columns, Limit, OrderBy, Search, Where, shown
from localreg.cli.output import Card, Listing, Rows
from localreg.cli.place import examples, new_group, reading, writing
from localreg.cli.tables import Choice, Column, File, OnInvalid, mapping, told
from localreg.cli.versioned import Versioned, add_versioned
from localreg.names import amount

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["cases", "suites", "workflows"]

WORKFLOWS = ("name", "created_at", "created_by")
CASES = ("name", "workflow", "version", "samples", "description")
SUITES = ("name", "workflow", "version", "tags", "description", "test_cases")
VERSION = ("version", "samples", "created_at", "created_by", "commit")
TYPES = ("test_sample", "ground_truth", "inference")

AFTER_DASHES = "One that begins with - goes after --."
CASE = typer.Argument(metavar="NAME", help=AFTER_DASHES, autocompletion=completion.cases)
SUITE = typer.Argument(metavar="NAME", help=AFTER_DASHES, autocompletion=completion.suites)
Workflow = Annotated[str, typer.Argument(metavar="NAME", help=AFTER_DASHES, autocompletion=completion.workflows)]
Case = Annotated[str, CASE]
Suite = Annotated[str, SUITE]
Force = Annotated[bool, typer.Option("--force", help="With all that depends on it, in one commit.")]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="Free text.")]

workflows = new_group(
    "Problem types: the types of samples, ground truths and inferences.", epilog=examples("localreg workflows list")
)
cases = new_group(
    "Test cases: named, versioned sets of samples with their ground truths.", epilog=examples("localreg cases list")
)
suites = new_group("Test suites: named, versioned lists of test cases.", epilog=examples("localreg suites list"))


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


@workflows.command(
    "show", epilog=examples("localreg workflows show Plates", "localreg workflows show Plates --format json")
)
@reading()
def show_workflow(registry: "Registry", name: Workflow) -> "Types":
    """Show a workflow with its types, field by field; json and csv hold the whole schemas."""
    row = Rows.of(registry.workflows(f"id = '{registry.get_workflow(name).id}'"))
    return Types(row, told=dict.fromkeys(TYPES, ""))


@dataclass(frozen=True)
class Types(Card):
    """A workflow, with a tree of each of its types."""

    def lines(self) -> Iterator[str]:
        """The record; the types."""
        from localreg.cli.schemas import tree
        from localreg.tables import Node

        yield from super().lines()
        for name in TYPES:
            node = Node.from_json(cast("dict[str, Any]", self.json()[name]))
            yield from ["", f"{name}: {node.name}", *(f"  {line}" for line in tree(node))]


@workflows.command("delete", epilog=examples("localreg workflows delete Plates --force"))
@writing
def delete_workflow(registry: "Registry", name: Workflow, force: Force = False) -> str:
    """Delete a workflow; without --force only one that nothing depends on. Its models stay."""
    registry.get_workflow(name).delete(force=force)
    return f"deleted workflow {name!r}"


add_versioned(
    Versioned(
        cases,
        "test case",
        lambda registry, name: registry.get_test_case(name),
        lambda registry: registry.test_cases,
        name=CASE,
        usual=CASES,
        free="that no test suite holds",
        example="day",
        listing="--where 'samples > 5'",
    )
)
add_versioned(
    Versioned(
        suites,
        "test suite",
        lambda registry, name: registry.get_test_suite(name),
        lambda registry: registry.test_suites,
        name=SUITE,
        usual=SUITES,
        free="without test runs",
        example="plates",
        listing="--search plates",
    )
)


@cases.command("show", epilog=examples("localreg cases show day"))
@reading()
def show_case(registry: "Registry", name: Case) -> Card:
    """Show a test case, and its versions."""
    case = registry.get_test_case(name)
    versions = Rows(VERSION, [(each.version, each.samples, *each[-3:]) for each in case.versions()])
    return Card(Rows.of(registry.test_cases(f"id = '{case.id}'", archived=None)), more={"versions": versions})


@cases.command("set", epilog=examples("localreg cases set day --description 'sunlit, from above'"))
@writing
def set_case(registry: "Registry", name: Case, description: Description = None) -> str:
    """Set the description of a test case; that makes no new version."""
    if description is None:
        raise typer.BadParameter("nothing to set: give --description")
    return f"updated test case {registry.get_test_case(name).update(description=description).name!r}"


@suites.command("show", epilog=examples("localreg suites show plates", "localreg suites show plates --format json"))
@reading()
def show_suite(registry: "Registry", name: Suite) -> Card:
    """Show a test suite, the versions of test cases that it holds, and its own versions."""
    suite = registry.get_test_suite(name)
    row = Rows.of(registry.test_suites(f"id = '{suite.id}'", archived=None))
    members = Rows(("name", "version", "samples"), suite.members)
    made = [(each.version, sum(case.samples for case in each.members), *each[-3:]) for each in suite.versions()]
    more = {"members": members, "versions": Rows(VERSION, made)}
    return Card(row, told={"test_cases": f"{len(members.rows):,}"}, more=more)


@suites.command(
    "set",
    epilog=examples(
        "localreg suites set plates --description 'all number plates of 2026' --tag nightly --untag draft",
    ),
)
@writing
def set_suite(
    registry: "Registry",
    name: Suite,
    description: Description = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="To add; repeatable.")] = None,
    untag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="To remove; repeatable.")] = None,
) -> str:
    """Set the description of a test suite, add and remove tags; that makes no new version.

    What is not named stays. It is one audited act.
    """
    if description is None and not tag and not untag:
        raise typer.BadParameter("nothing to set: give --description, --tag or --untag")
    given: dict[str, Any] = {} if description is None else {"description": description}
    suite = registry.get_test_suite(name).update(tag=tag or (), untag=untag or (), **given)
    return f"updated test suite {suite.name!r}"


@suites.command(
    "stratify",
    epilog=examples(
        "localreg suites stratify plates --by number --bins 3",
        "localreg suites stratify plates --by 'length(ground_truth.text)' --name 'plates by length'",
    ),
)
@writing
def stratify_suite(
    registry: "Registry",
    name: Suite,
    by: Annotated[str, typer.Option(metavar="EXPRESSION", help="Such as metadata.weather or ground_truth.label.")],
    bins: Annotated[int, typer.Option(metavar="N", help="Numbers of more values are cut into so many bins.")] = 4,
    new_name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Of the new suite; else 'NAME by EXPRESSION'.")
    ] = None,
) -> str:
    """Make a test suite of the same samples, with a test case for each value of an expression.

    The expression may name fields of samples, metadata.KEY, ground_truth.FIELD and test_case. What was inferred is not
    inferred again; localreg compare tells the new suite's test cases apart. The same command again makes only what
    changed.
    """
    suite = registry.get_test_suite(name).stratify(by, bins=bins, name=new_name)
    count = len(suite.members)
    return f"made test suite {suite.name!r} of {amount(count, 'test case')}"


class Known(StrEnum):
    """What becomes of rows whose sample is there with another ground truth."""

    RAISE = "raise"
    SKIP = "skip"
    REPLACE = "replace"


@suites.command(
    "import",
    epilog=examples(
        "localreg suites import truth.parquet --suite more --workflow Plates",
        "localreg suites import truth.csv --suite plates --case night --column text=plate --metadata weather",
    ),
)
@writing
def import_suite(
    registry: "Registry",
    file: File,
    suite: Annotated[
        str, typer.Option(metavar="NAME", help="Made if there is none.", autocompletion=completion.suites)
    ],
    workflow: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="For a new test suite.", autocompletion=completion.workflows),
    ] = None,
    case: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The test case; else the one named like the suite.", autocompletion=completion.cases
        ),
    ] = None,
    column: Column = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="A column that becomes metadata of the samples; repeatable."),
    ] = None,
    on_invalid: OnInvalid = Choice.RAISE,
    on_known: Annotated[
        Known, typer.Option(help="A row whose sample is there with another ground truth; skip keeps what is there.")
    ] = Known.RAISE,
) -> str:
    """Add test samples with their ground truths from a file, a row for each: all in one commit, or none.

    Columns are matched to fields by name. They become the next version of a test case, and of the suite.
    """
    report = registry.import_samples(
        file,
        suite=suite,
        workflow=workflow,
        case=case,
        columns=mapping(column),
        metadata=metadata or (),
        on_invalid=on_invalid.value,
        on_known=on_known.value,
    )
    return told(report)
