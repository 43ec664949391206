"""The command line: what the library says, in words for a shell.

Guarantees: every answer comes from the same public methods that a program calls; a refusal is one line on stderr (of a
definition one for each fault) and exit code 1, wrong usage is exit code 2; results go to stdout and everything else
to stderr. Importing this package
loads nothing heavy: a command loads what it needs when it runs.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import NoReturn, TextIO

from localreg.cli.bash import quoting
from localreg.cli.logs import on_one_line, tell, telling_logs
from localreg.errors import DefinitionError, LocalregError

__all__ = ["main"]

REFUSED = 1
INTERRUPTED = 130  # 128 + SIGINT, as shells count
GARBAGE = 200_000
"""Objects more than at the last collection, at which the next one is due."""
PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit.

    Args:
        arguments: without the program's name; None = those of this process.
    """
    # What a short command makes is no garbage: to look through it while it grows, and again at the exit, would cost a
    # fifth of the time of a listing.
    gc.set_threshold(GARBAGE)
    try:
        sys.exit(run(sys.argv[1:] if arguments is None else arguments))
    finally:
        gc.freeze()


def run(arguments: Sequence[str]) -> int:
    """Run one command; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a name must not turn the answer into an error
            stream.reconfigure(errors="backslashreplace")
    with telling_logs(), warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = _show_warning
        try:
            with quoting():
                code = _invoke(arguments)
            sys.stdout.flush()
        except LocalregError as error:
            print("\n".join(_lines(error)), file=sys.stderr)
            return REFUSED
        except KeyboardInterrupt:
            return INTERRUPTED
        except BrokenPipeError:
            return leave_pipe()
        except OSError as error:  # of our own output: what the library meets on disk is a LocalregError
            print(f"localreg: cannot write the answer: {error.strerror or error}", file=sys.stderr)
            leave_pipe()
            return REFUSED
    return code


def leave_pipe() -> int:
    """Nobody reads on, as in `localreg audit | head -1`: drop what is buffered, so that Python's exit stays quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return PIPE_CLOSED


def _invoke(arguments: Sequence[str]) -> int:
    from localreg.cli.app import command

    try:
        command().main(list(arguments), prog_name="localreg")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    tell("warning", message)


def _lines(error: LocalregError) -> Iterator[str]:
    """What is wrong, on a line; the faults of a definition on a line each, as a compiler tells them."""
    if isinstance(error, DefinitionError) and len(error.faults) > 1:
        yield f"localreg: {on_one_line(error.message.partition(chr(10))[0])}"
        yield from (f"  {on_one_line(each)}" for each in error.faults)
    else:
        yield f"localreg: {on_one_line(error)}"
