"""`archive` and `restore`, which models, test cases and test suites have in common."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli.place import examples, writing

if TYPE_CHECKING:
    from typer.models import ArgumentInfo

    from localreg.experiments import Experiment
    from localreg.models import Model
    from localreg.registry import Registry
    from localreg.workflow.stored import StoredTestCase, StoredTestSuite

__all__ = ["add_archiving"]


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def add_archiving(
    group: typer.Typer,
    noun: str,
    get: "Callable[[Registry, str], Experiment | Model | StoredTestCase | StoredTestSuite]",
    *,
    argument: "ArgumentInfo",
    example: str,
) -> None:
    """Give a group the two commands.

    Args:
        group: of commands.
        noun: what is archived, such as `test case`.
        get: the handle of that name.
        argument: what the command line says of the name.
        example: a name that the examples are about.
    """

    def archive(registry: "Registry", name: Annotated[str, argument]) -> str:
        return f"archived {noun} {get(registry, name).archive().name!r}"

    def restore(registry: "Registry", name: Annotated[str, argument]) -> str:
        return f"restored {noun} {get(registry, name).restore().name!r}"

    for function, does in (
        (archive, f"Hide {_a(noun)} from listings; it is not locked."),
        (restore, f"Show an archived {noun} in listings again."),
    ):
        verb = function.__name__
        line = f"localreg {noun.split()[-1]}s {verb} {example}"
        group.command(verb, help=does, epilog=examples(line))(writing(function))
