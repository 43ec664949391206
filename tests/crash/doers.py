"""Programs that do deeds, for tests that disturb them.

`python -m tests.crash.doers`: loads everything, says `ready`, and lives for each line (`forks.serve`).

`FOLDER, DEED`: opens the registry, says `ready`, waits for a line, and does the acts of the deed, saying `did` after
each. If one is refused it says `refused`, the code of the error and its text, and if one fails otherwise `foreign` and
how. At the end of this it says `over` and waits for a line: the disturbance is gone then. It settles what is unknown,
and shows that the handle goes on: says `after` and the number of acts that can be seen to have been done by what an
undisturbed look, given as a list of looks in a file, has.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import localreg
from localreg import Registry
from localreg.errors import LocalregError, UnknownOutcomeError
from localreg.experiments import opening
from tests.crash.deeds import DEEDS, Deed
from tests.crash.forks import hear, say, serve
from tests.crash.scenarios import short_spans

__all__ = ["plain"]


def plain(look: object) -> str:
    """A look as text, which another process can compare."""
    return json.dumps(look, sort_keys=True, default=repr)


def live(folder: str, name: str, looks: str) -> None:
    (deed,) = [each for each in DEEDS if each.name == name]
    registry = localreg.open(folder, actor="disturbed")
    assert registry.commit >= 0  # loads it
    say("ready")
    hear()
    unknown = disturbed(deed.acts(registry))
    say("over")
    hear()
    go_on(registry, deed, unknown, json.loads(Path(looks).read_text()))


def disturbed(acts: Iterator[None]) -> UnknownOutcomeError | None:
    """Do it as far as it goes."""
    try:
        for _ in acts:
            say("did")
    except LocalregError as error:
        say(f"refused {type(error).__name__} {error.code} {error}")
        return error if isinstance(error, UnknownOutcomeError) else None
    except BaseException as error:
        with suppress(OSError):
            traceback.print_exc()
        say(f"foreign {error!r}")
    return None


def go_on(registry: Registry, deed: Deed, unknown: UnknownOutcomeError | None, looks: list[str]) -> None:
    """The same handle, once all is well again."""
    if unknown is not None:
        landed = registry.resolve(unknown.commit_id, commit=unknown.commit)
        say(f"settled {landed is not None}")
    say(f"sees {looks.index(plain(deed.look(registry)))}")
    registry.create_model("after")
    assert registry.verify().ok, str(registry.verify())
    say("went on")


def rehearse() -> None:
    """Load all modules: their files shall not be counted."""
    for deed in DEEDS:
        with TemporaryDirectory() as home, localreg.open(Path(home, "registry")) as registry:
            deed.prepare(registry)
            for _ in deed.acts(registry):
                deed.look(registry)
            registry.verify()


if __name__ == "__main__":
    # Which code runs is no matter here, and it is much.
    vars(opening)["captured_code"] = lambda: None
    with short_spans():
        rehearse()
        say("ready")
        serve(live)
