"""The whole command line: groups of commands, and those that stand alone, by the module of each.

A module is imported, and a command made, when somebody asks for it; help and completion ask for all.
"""

from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_command

from localreg.cli.lazy import Waiting, alone, group, plain
from localreg.cli.place import REMOTE, Place, examples, placed
from localreg.errors import NotFoundError

__all__ = ["command"]

GROUPS = {
    "models": "models",
    "versions": "versions",
    "aliases": "versions",
    "workflows": "workflows",
    "cases": "workflows",
    "suites": "workflows",
    "runs": "runs",
    "inferences": "inferences",
    "coco": "coco",
    "metrics": "metrics",
    "definitions": "definitions",
    "comparisons": "comparing",
    "experiments": "experiments",
    "checkpoints": "experiments",
    "artifacts": "artifacts",
    "policies": "policies",
    "datasets": "datasets",
    "events": "events",
    "namespaces": "namespaces",
    "signers": "signers",
}
"""The module of each group, which is called there as on the command line."""
ALONE = {
    **dict.fromkeys(("audit", "facets", "verify", "sql"), "questions"),
    **dict.fromkeys(("check", "push", "test", "determinism"), "definitions"),
    "card": "cards",
    "compare": "comparing",
    "leaderboard": "ranking",
    "measure": "measuring",
    "lineage": "lineage",
    **dict.fromkeys(("diff", "watch", "undo", "redact", "resolve", "snapshot"), "past"),
    **dict.fromkeys(("doctor", "du", "compact", "gc", "retain"), "upkeep"),
    "copy": "copying",
    "ui": "page",
}
"""The module of each command that is in no group; it is one of those of `app` there."""

app = typer.Typer(
    name="localreg",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain text reads the same on a terminal, in a pipe and in a log
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog=examples(
        "localreg init",
        "localreg models create meadow-6 --metadata framework=pytorch --tag detector",
        "localreg models list --where \"metadata.framework = 'pytorch'\"",
        "localreg compare meadow-4 meadow-5 --suite plates",
        "localreg audit --since 1 --format json",
    ),
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from localreg.version import __version__

        print(f"localreg {__version__}")
        raise typer.Exit


def _root(
    place: Place,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A model registry in a directory: models, test results and an audit log, in files that you own.

    --registry, --namespace, --actor and --at may stand before or after the command. Exit codes: 0 done, 1 refused (told
    in one line), 2 wrong usage.
    """


app.callback()(placed(_root, shown=REMOTE))


def _init(
    place: Place,
    folder: Annotated[str | None, typer.Argument(metavar="FOLDER", help="Absent or empty; else as --registry.")] = None,
    shared: Annotated[str, typer.Option(metavar="umask|group|all", help="Who else may write, as in git.")] = "umask",
    commit_mode: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="How commits are published; else what the place proves. single-writer where it proves nothing.",
        ),
    ] = None,
) -> None:
    """Make a registry. One that is there already is left as it is."""
    if place.at is not None:
        raise typer.BadParameter("a new registry has no past", param_hint="--at")
    if folder is not None and place.registry is not None:
        raise typer.BadParameter("give the folder once: here, or by --registry", param_hint="FOLDER")
    target = replace(place, registry=folder or place.registry)
    try:
        registry, verb = target.open(read_only=True), "is there already"
    except NotFoundError:
        registry, verb = target.open(read_only=False, shared=shared, commit_mode=commit_mode), "made"
    print(f"registry {registry.id} {verb}: {registry.uri}")


app.command("init", epilog=examples("localreg init models", "localreg init team/models --shared group"))(
    placed(_init, hidden={"at", "namespace", "actor"}, shown=REMOTE)
)


def command() -> Any:
    """The root command, for typer to run."""
    root: Any = get_command(app)
    own = {name: partial(root.commands.get, name) for name in root.commands}
    groups = {name: partial(_group, name) for name in GROUPS}
    plain(root)
    root.commands = Waiting({**own, **groups, **{name: partial(_alone, name) for name in ALONE}})
    return root


def _group(name: str) -> Any:
    return group(getattr(import_module(f"localreg.cli.{GROUPS[name]}"), name), name)


def _alone(name: str) -> Any:
    return alone(import_module(f"localreg.cli.{ALONE[name]}").app, name)
