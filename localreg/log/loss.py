"""Noticing that entries were lost, before anybody reads on or writes in their place.

An entry that is missing before one that is there shows by itself to whoever reads on. What shows to nobody is a log
that ends too early: to go on from its end would be to forget commits that were acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from localreg.errors import IntegrityError
from localreg.log.entry import entry_path
from localreg.log.parquet import last_digest
from localreg.log.patience import get_late
from localreg.log.reader import LogReader
from localreg.log.signing import Signers
from localreg.log.state import State

__all__ = ["GAP_PROBES", "refuse_gap", "refuse_rolled_back"]

GAP_PROBES = (2, 3, 5, 9, 17, 33, 65)
"""How far beyond the end of the log it is looked for entries that nothing leads to."""


def refuse_rolled_back(log: LogReader, shown: State) -> bytes:
    """Notice a log that no longer leads to what a snapshot shows: its end was lost, or another stands there.

    To fold what is left would be to forget commits in silence, and the next ones would take their numbers: the
    snapshot is the last trace of what was acknowledged. Whether that was meant, only a person can tell.

    Returns:
        The entry of the snapshot's commit.

    Raises:
        IntegrityError: the entry of the snapshot's commit is missing, or is another.
        FormatError: that entry, or one before it, is damaged.
    """
    path = entry_path(shown.head.commit)
    data = get_late(log.store, path)
    if data is not None and last_digest(data) == shown.head.digest:
        return data
    if data is not None:
        for _ in log.entries(log.origin, upto=shown.head.commit):
            pass  # an entry that is only damaged has an error of its own, which says more
    fault, code = ("is missing", "entry_missing") if data is None else ("is another entry", "entry_swapped")
    raise IntegrityError(
        f"{log.name_of(path)} {fault}: {log.name_of(shown.base.path or 'snapshots')} shows what was there; "
        "restore the missing entries from a copy (copy again, if this is one that was made while others wrote) or, if "
        "the log was rolled back on purpose, run `localreg doctor --accept`",
        code=code,
    )


def refuse_gap(log: LogReader, last: int, signers: Signers) -> None:
    """Notice entries lost from the middle of the tail, before a writer would fill their place with others.

    Probing finds any gap shorter than what follows it; `verify` lists the folder and finds all.

    Raises:
        IntegrityError: entry `last + 1` was lost, and a commit would take its place.
    """

    def tells(number: int) -> bool:
        return log.tells_of_gap(number, signers)

    beyond = _is_any(tells, [last + ahead for ahead in GAP_PROBES], at_once=log.store.remote)
    # Other writers' commits may have come between the last probe and these: then the next one is there by now.
    if beyond:
        log.known(last + 1)


def _is_any(tells: Callable[[int], bool], numbers: Sequence[int], *, at_once: bool) -> bool:
    if not at_once:
        return any(map(tells, numbers))
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(numbers), thread_name_prefix="localreg-gap") as pool:  # one round trip for all
        return any(pool.map(tells, numbers))
