"""Commands that are made when they are asked for: to import and make all of them would cost each call 60 ms."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from typer.main import get_command_from_info, get_group

if TYPE_CHECKING:
    import typer
    from typer.core import TyperGroup

__all__ = ["Waiting", "alone", "group", "plain"]

Command = Any
"""What typer makes: its class is no public one."""


class Waiting(MutableMapping[str, Command]):
    """Commands by name; each is made at the first look, and then kept."""

    def __init__(self, makers: Mapping[str, Callable[[], Command]]) -> None:
        self._makers = dict(makers)
        self._made: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __setitem__(self, name: str, command: Command) -> None:
        self._makers[name] = lambda: command
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._makers[name]
        self._made.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def group(app: typer.Typer, name: str) -> TyperGroup:
    """A group, each of whose commands is made when it is asked for."""
    shell = copy.copy(app)
    shell.registered_commands = []
    made = get_group(shell)
    made.name = name
    plain(made)
    made.commands = Waiting({command: _maker(app, command) for command in _names(app)})
    return made


def alone(app: typer.Typer, name: str) -> Command:
    """One command of several that stand together in a module, and not in a group."""
    return _maker(app, name)()


def _names(app: typer.Typer) -> list[str]:
    return [str(info.name) for info in app.registered_commands]


def _maker(app: typer.Typer, name: str) -> Callable[[], Command]:
    info = next(info for info in app.registered_commands if info.name == name)

    def make() -> Command:
        return plain(get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode=None))

    return make


def plain(command: Command) -> Command:
    """The command, with a usage line without brackets of typer's own, and no option suggested that is not near."""
    pieces, parse = command.collect_usage_pieces, command.parse_args

    def collect(context: Any) -> list[str]:
        return [re.sub(r"^\{(.*)\}", r"\1", piece) for piece in pieces(context)]

    def parse_args(context: Any, words: list[str]) -> Any:
        try:
            return parse(context, words)
        except Exception as error:
            if getattr(error, "possibilities", None):  # of an unknown option; its class is no public one
                vars(error)["possibilities"] = _near(vars(error)["option_name"], vars(error)["possibilities"])
            raise

    command.collect_usage_pieces, command.parse_args = collect, parse_args
    return command


def _near(word: str, possibilities: Sequence[str]) -> list[str]:
    from difflib import get_close_matches

    return get_close_matches(word, possibilities, cutoff=0.8)
