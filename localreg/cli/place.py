"""Which registry a command means, and as whom: the options that every command takes, before or after its name.

No `from __future__ import annotations` here and in the command modules: typer reads the annotations as objects.
"""

import contextlib
import copy
import functools
import inspect
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from localreg.cli import completion
from localreg.cli.logs import muted
from localreg.cli.output import Answer, Format, show
from localreg.cli.values import storage_options
from localreg.errors import LocalregError
from localreg.written import commit_or_text

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["Place", "examples", "named_registry", "new_group", "placed", "reading", "writing"]

DEFAULT = "default"
"""The namespace that is meant where none is given."""
P = ParamSpec("P")
Command = Callable[..., None]
"""A function whose signature typer can read."""

_GENERAL: dict[str, Any] = {
    "registry": typer.Option(
        "--registry",
        "-r",
        metavar="PATH",
        help="Folder or URI of the registry; else $LOCALREG_URI, else the nearest .localreg upward.",
    ),
    "namespace": typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        help="Namespace; else 'default'.",
        autocompletion=completion.namespaces,
    ),
    "actor": typer.Option(
        "--actor",
        metavar="NAME",
        help="Who you are, in the audit log and in grants; else $LOCALREG_ACTOR, else the login name.",
    ),
    "storage_option": typer.Option(
        "--storage-option",
        metavar="KEY=VALUE",
        help="For the file system of a remote address, such as endpoint_url=…; never shown nor kept. Repeatable.",
    ),
    "offline": typer.Option("--offline", help="Of a remote registry, what this machine's cache holds."),
    "at": typer.Option(
        "--at", metavar="COMMIT|TIME", help="As it was after a commit, or at a time such as 2026-03-31T12:00:00Z."
    ),
}
_KINDS: dict[str, object] = {"storage_option": list[str] | None, "offline": bool | None}
"""Of those that are no plain text."""
REMOTE = frozenset(_KINDS)
"""Those that would only lengthen the help of most commands."""

_FORMAT = typer.Option("--format", "-f", help="A table to read; json and csv hold every column.")
_MESSAGE = typer.Option("--message", "-m", metavar="TEXT", help="Why; stands with the events in the audit log.")
_KEY = "localreg.cli.place"


named_registry: list[str] = []
"""The one that --registry names, if it does: commands in messages name it, too, lest they be about another one."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the options of all commands say; None = not given."""

    registry: str | None = None
    namespace: str | None = None
    actor: str | None = None
    at: str | None = None
    storage_option: tuple[str, ...] = ()
    offline: bool = False

    def read(self) -> "Registry":
        """The registry, read-only, as of `at`; nothing is made. A namespace that is not there gets a warning."""
        registry = self._look()
        if self.namespace not in (None, DEFAULT) and not registry.commit:
            _warn_of_absent(registry)
        return registry

    def _look(self) -> "Registry":
        registry = self.open(read_only=True)
        if self.at is None:
            return registry
        at = commit_or_text(self.at)
        return registry.at(commit=at) if isinstance(at, int) else registry.at(time=at)

    def write(self) -> "Registry":
        """The registry, for changes. It must be there: a typo in a path makes no registry."""
        present = self._look()
        return present if self.at is not None else self.open(read_only=False)

    def open(self, *, read_only: bool, **options: Any) -> "Registry":
        """`localreg.open`."""
        from localreg.api import open_registry

        named_registry[:] = [] if self.registry is None else [self.registry]
        _ask_for_passphrases()
        return open_registry(
            self.registry,
            namespace=self.namespace or DEFAULT,
            actor=self.actor,
            read_only=read_only,
            storage_options=storage_options(self.storage_option) or None,
            offline=self.offline,
            **options,
        )


def _ask_for_passphrases() -> None:
    """Have a person at a terminal asked for the passphrase of an encrypted signing key, once it is needed."""
    from localreg.session.signing_key import ask_passphrase

    if sys.stdin.isatty() and _asked not in ask_passphrase:
        ask_passphrase.append(_asked)


def _asked(path: str) -> str:
    return str(typer.prompt(f"Passphrase of {path}", default="", hide_input=True, show_default=False, err=True))


def _warn_of_absent(registry: "Registry") -> None:
    """One line, if the namespace that is read is not there: an empty answer would look like an answer."""
    import warnings

    from localreg.names import did_you_mean

    name = registry.namespace_name
    with contextlib.suppress(LocalregError):  # a place that lists no folders; the answer is right all the same
        there = registry.namespaces()
        if name not in there:
            warnings.warn(f"nothing was committed in namespace {name!r}{did_you_mean(name, there)}", stacklevel=2)


def reading(
    *,
    past: bool = True,
    as_writer: bool = False,
    everywhere: bool = False,
    tells: bool = False,
    writes: str | None = None,
) -> Callable[[Callable[Concatenate["Registry", P], Answer]], Command]:
    """A command that asks: it gets the registry read-only, and what it returns is shown in the wanted format.

    Args:
        past: whether `--at` has a meaning for it.
        as_writer: whether it gets the registry as a writer would, to tell what one would meet.
        everywhere: whether it looks at all namespaces, so that none can be named.
        tells: whether its answer says what the library would warn of.
        writes: the option that makes it keep its answer: with it, it gets the registry for changes.
    """

    def decorate(function: Callable[Concatenate["Registry", P], Answer]) -> Command:
        def command(place: Place, /, *args: P.args, **kwargs: P.kwargs) -> None:
            wanted = Format(str(kwargs.pop("format")))
            if place.at is not None and not past:
                raise typer.BadParameter("this command looks at the whole log, not at one commit", param_hint="--at")
            if place.namespace is not None and everywhere:
                raise typer.BadParameter("this command looks at all namespaces", param_hint="--namespace")
            keeps = writes is not None and kwargs.get(writes) is not None
            with muted() if tells else contextlib.nullcontext():
                answer = function(place.write() if as_writer or keeps else place.read(), *args, **kwargs)
            show(answer, wanted)
            if not answer.ok:
                raise typer.Exit(1)

        shown_format = _option("format", _FORMAT, kind=Format, default=Format.TABLE)
        hidden = {"actor"} | ({"at"} if not past else set()) | ({"namespace"} if everywhere else set())
        return placed(command, like=function, extra=[shown_format], hidden=hidden)

    return decorate


class Account(str):
    """What a command found in what it was given, which is of use also if nothing had to be changed."""

    __slots__ = ()


def writing(function: Callable[Concatenate["Registry", P], str]) -> Command:
    """A command that changes something: it returns a sentence, which is printed if there was anything to change.

    What became of rows (`Account`) is printed in any case.
    """

    def command(place: Place, /, *args: P.args, **kwargs: P.kwargs) -> None:
        message = kwargs.pop("message")
        registry = place.write()
        before = registry.commit
        with contextlib.nullcontext() if message is None else registry.transaction(str(message)):
            done = function(registry, *args, **kwargs)
        print(done if registry.commit != before or isinstance(done, Account) else "nothing to change")

    return placed(command, like=function, extra=[_option("message", _MESSAGE)], hidden={"at"})


def placed(
    command: Callable[Concatenate[Place, P], None],
    *,
    like: Callable[..., object] | None = None,
    extra: Collection[inspect.Parameter] = (),
    hidden: Collection[str] = (),
    shown: frozenset[str] = frozenset(),
) -> Command:
    """The command as typer wants it, with the options of all commands gathered into its first argument.

    What stands last wins: `localreg -n a models -n b list` lists `b`. Storage options add up, each key by itself.

    Args:
        command: what to run.
        like: a function whose name, text and arguments (but the first) it takes on.
        extra: options that it takes besides.
        hidden: options of all commands that are accepted, but would only lengthen its help.
        shown: which of `REMOTE` stand in its help all the same.
    """
    like = like or command
    run: Command = command  # typer fills the signature that it is given below

    def entry(ctx: typer.Context, **arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in _GENERAL}
        outer: Place = ctx.meta.get(_KEY, Place())
        given["storage_option"] = (*outer.storage_option, *(given["storage_option"] or ()))
        place = ctx.meta[_KEY] = replace(outer, **{name: value for name, value in given.items() if value is not None})
        try:
            run(place, **arguments)
        except BrokenPipeError:  # typer would exit with 1, which means a refusal
            from localreg.cli import leave_pipe

            raise typer.Exit(leave_pipe()) from None

    _, *own = inspect.signature(like).parameters.values()
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    general = [
        _option(name, option, kind=_KINDS.get(name, str | None), hidden=name in hidden or name in REMOTE - shown)
        for name, option in _GENERAL.items()
    ]
    parameters = [context, *(each.replace(kind=context.kind) for each in own), *extra, *general]
    functools.update_wrapper(entry, like)
    vars(entry).pop("__wrapped__")  # typer would read that one's annotations
    entry.__annotations__ = {each.name: each.annotation for each in parameters}
    entry.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return entry


def _option(
    name: str, option: object, *, kind: object = str | None, default: object = None, hidden: bool = False
) -> inspect.Parameter:
    if hidden:
        option = copy.copy(option)
        vars(option)["hidden"] = True
    annotation = Annotated[kind, option]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def new_group(help: str, *, epilog: str) -> typer.Typer:
    """A group of commands, such as `models`. It takes the options of all commands, too."""
    group = typer.Typer(help=help, epilog=epilog, no_args_is_help=True, rich_markup_mode=None, add_completion=False)
    group.callback()(placed(_keep, hidden=_GENERAL.keys()))
    return group


def _keep(place: Place) -> None:
    pass


def examples(*lines: str) -> str:
    """The end of a help text: commands to copy. The tests run each of them."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
