"""The process of a model as the operating system sees it: its start, its pipes, its end."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from contextlib import suppress
from typing import NamedTuple

from localreg.definitions.worker.channel import Duplex, Offer
from localreg.definitions.worker.messages import ENDED_S
from localreg.definitions.worker.output import OutputLog
from localreg.definitions.worker.secrets import Secrets
from localreg.errors import StorageError

__all__ = ["LOGGED_S", "Spawned", "close_all", "ended", "kill", "signal_name", "spawned"]

LOGGED_S = 1.0
"""So long the last of its output may take to come."""

_BOOT = (
    "import pickle, sys\n"
    "told = pickle.load(open(0, 'rb', closefd=False))\n"
    "sys.path[:] = told.pop('path')\n"
    "from localreg.definitions.worker.child import serve\n"
    "serve(told)\n"
)


class Spawned(NamedTuple):
    """A child.

    Attributes:
        process: it.
        duplex: our end of its channel.
        output: reads what it writes.
        lifeline: a descriptor: the child ends once that is closed. Empty after that.
    """

    process: subprocess.Popen[bytes]
    duplex: Duplex
    output: OutputLog
    lifeline: list[int]


def spawned(model: str, secrets: Secrets) -> Spawned:
    """A child, which waits for its first message.

    Args:
        model: what it is called in messages and in the log.
        secrets: are not logged when it writes them.

    Raises:
        StorageError: the system does not let us start one.
    """
    offer = Offer()
    alive, lifeline = os.pipe()
    said, says = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT],  # -P: nothing of the caller's folder before localreg is loaded
            stdin=alive,
            stdout=says,
            stderr=subprocess.STDOUT,
            pass_fds=offer.inherited,
            start_new_session=True,  # Ctrl-C in a terminal is for us, who end it
        )
    except BaseException as error:
        offer.close()
        close_all([lifeline, said])
        if isinstance(error, OSError):
            raise StorageError(f"no process can be started for model {model!r}: {error}") from error
        raise
    finally:
        close_all([alive, says])
    output = OutputLog(said, model, secrets)
    output.start()
    told = {"path": [os.path.abspath(each) for each in sys.path if isinstance(each, str)], **offer.told}
    try:
        with suppress(BrokenPipeError):  # it ended at once; whoever asks it will see that
            os.write(lifeline, pickle.dumps(told))
        return Spawned(process, offer.taken(), output, [lifeline])
    except BaseException as error:
        close_all([lifeline])
        kill(process)
        process.wait()
        if isinstance(error, OSError):
            raise StorageError(f"the process of model {model!r} did not connect: {error}") from error
        raise


def ended(child: Spawned, owner: int) -> None:
    """Let a child end by itself, or end it. Only the process that began it does that."""
    process, duplex, output, lifeline = child
    duplex.close()
    close_all(lifeline)
    if os.getpid() != owner:
        return
    try:
        process.wait(ENDED_S)
    except BaseException as error:
        kill(process)
        process.wait()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
    output.join(LOGGED_S)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a child, with the processes that it began; not once it was waited for: its number may be another's then."""
    if process.returncode is not None:
        return
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def close_all(descriptors: list[int]) -> None:
    """Close them, and forget them."""
    while descriptors:
        os.close(descriptors.pop())


def signal_name(number: int) -> str:
    """Such as `9 (SIGKILL)`."""
    with suppress(ValueError):
        return f"{number} ({signal.Signals(number).name})"
    return str(number)
