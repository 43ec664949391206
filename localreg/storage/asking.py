"""What is asked of a place behind a network, how often, and what is made of the answers.

Reading, replacing and deleting may be asked again, and are, a few times, within bounded time. What creates a file only
if there is none is offered again only after a refusal, which has changed nothing: after a silence it may have.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from localreg.errors import LocalregError, NotFoundError
from localreg.storage.answers import Answer, answer_of, as_ours
from localreg.storage.link import Link, joined

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ATTEMPTS", "Asking"]

_T = TypeVar("_T")

ATTEMPTS: Final = 3
FIRST_PAUSE_S: Final = 0.1


class Asking:
    """Runs acts on a link, and raises what they come to in our own words.

    Attributes:
        link: the file system.
        uri: the place, as it is called in messages.
    """

    def __init__(self, link: Link, uri: str) -> None:
        self.link = link
        self.uri = uri

    def ask(self, verb: str, path: str, act: Callable[[], _T], **absent: _T) -> _T:
        """Run an act that may be run again, a few times; `absent` is what it gives of a file that is not there.

        Raises:
            NotFoundError: the file is not there, and `absent` was not given.
            StorageError, ReadOnlyError: the place refused, or did not answer.
        """
        pause, asked = FIRST_PAUSE_S, 0
        while True:
            asked += 1
            try:
                return self.link.run(act)
            except LocalregError:
                raise
            except Exception as caught:  # every library has its own
                error, answer = caught, answer_of(caught)
            if answer is Answer.ABSENT:
                if "absent" in absent:
                    return absent["absent"]
                raise self.missing(path) from error
            self._renew_after(answer)
            if not answer.passing or asked == ATTEMPTS:
                raise self._ours(error, answer, path, verb) from error
            time.sleep(pause)
            pause *= 3

    def create(self, path: str, act: Callable[[], None]) -> bool:
        """Run an act that makes a file if there is none; whether it did.

        It may be the one act that decides: offered again only if it was refused, and silence is told as doubt at once.

        Raises:
            StorageError: the place refused, or did not answer: code `"doubtful"`.
            ReadOnlyError: it may not be written to.
        """
        pause, offered = FIRST_PAUSE_S, 0
        while True:
            offered += 1
            error = _error_of(lambda: self.link.run(act))
            if error is None:
                return True
            answer = answer_of(error)
            if answer is Answer.EXISTS:
                return False
            self._renew_after(answer)
            if answer is not Answer.BUSY or offered == ATTEMPTS:
                if offered > 1 and answer is not Answer.BUSY:
                    answer = Answer.LOST  # an intermediary may have said "busy" of what went through
                raise self._ours(error, answer, path, "write") from error
            time.sleep(pause)
            pause *= 3

    def missing(self, path: str) -> NotFoundError:
        """The error of a file that is not there."""
        return NotFoundError(f"no file {path!r} in {self.uri}")

    def _renew_after(self, answer: Answer) -> None:
        if answer is Answer.LOST:
            self.link.renew()

    def _ours(self, error: BaseException, answer: Answer, path: str, verb: str) -> LocalregError:
        refused = self.link.address.unknown_option(error)
        if refused is not None:
            return refused
        detail = self.link.address.scrubbed(error)
        return as_ours(error, answer, joined(self.uri, path), verb=verb, detail=detail)


def _error_of(act: Callable[[], None]) -> Exception | None:
    try:
        act()
    except LocalregError:
        raise
    except Exception as error:  # every library has its own
        return error
    return None
