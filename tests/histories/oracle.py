"""What must be true of every history, whatever its schedule and its faults.

* The log has no gap, and no commit twice; what it says is what the acts mean, one after the other, for a plain dict.
* What was acknowledged is there once, where it was said to be, and after all that its client could know of.
* What was refused is not there, and there was a moment at which it had to be refused.
* What is not known is there once or not at all, and `resolve` tells which.
* What anybody saw was the state after some commit, and no older one than before.
* Snapshots show what the entries say, all digests hold, all named files are there, and the next commit can be made.
* A place without faults gives no errors but refusals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from localreg import Registry
from localreg.errors import (
    AlreadyExistsError,
    ConflictError,
    FormatError,
    IntegrityError,
    NotFoundError,
    StorageError,
    UnknownOutcomeError,
)
from localreg.log import Entry
from localreg.log.entry import entry_path
from localreg.session import Session
from localreg.session.location import open_or_make
from localreg.session.proof import Proof
from tests.histories.acts import Book, ImpossibleError, names_in, shown
from tests.histories.history import Deed, History

__all__ = ["check"]


def check(history: History) -> None:
    """Raise `AssertionError` if a history is not allowed."""
    world = history.world
    world.sunny = True
    store = world.checker()
    file, _ = open_or_make(store, make=True)
    session = Session(store, file, "default", actor="oracle", proof=Proof(store, made=True))
    entries = list(session.log.entries(session.log.origin))
    numbers = _numbers(session, entries)
    books = _books(history, entries)
    for deed in history.deeds:
        _check_deed(history, deed, numbers, books)
        _check_resolved(history, session, deed, numbers)
    _check_sights(history, entries, books)
    assert shown(session.state()) == books[-1], "the newest state is not what the acts come to"
    assert shown(session.log._folded(len(entries))) == books[-1], "entries do not fold to what the acts come to"
    report = session.verify()
    assert report.ok, str(report)
    Registry(session).create_model("after all")
    assert session.state().head.commit == len(entries) + 1


def _numbers(session: Session, entries: Sequence[Entry]) -> dict[str, int]:
    """Under which number each commit stands."""
    assert list(session.store.list("log")) == [entry_path(entry.commit) for entry in entries], "a gap, or a stray file"
    twice = [id for id, count in Counter(entry.commit_id for entry in entries).items() if count > 1]
    assert not twice, f"committed twice: {twice}"
    return {entry.commit_id: entry.commit for entry in entries}


def _books(history: History, entries: Sequence[Entry]) -> list[Book]:
    """The state after each commit, as the acts have it."""
    makers = {id: deed for deed in history.deeds for id in deed.ids}
    books: list[Book] = [{}]
    for entry in entries:
        assert entry.commit_id in makers, f"commit {entry.commit} was made by nobody"
        act = makers[entry.commit_id].act
        try:
            books.append(act.told(books[-1], _models(entry)))
        except ImpossibleError as error:
            raise AssertionError(f"commit {entry.commit} should have been refused: {error}") from error
    return books


def _models(entry: Entry) -> list[str]:
    """Ids of the models that an entry changes, in order."""
    ids = []
    for event in entry.events:
        if event.kind == "model":
            ids.append(event.id)
        elif event.kind in ("model_version", "alias", "artifact"):
            ids.append(event.parent)
    return list(dict.fromkeys(ids))


def _check_deed(history: History, deed: Deed, numbers: dict[str, int], books: Sequence[Book]) -> None:
    landed = [numbers[id] for id in deed.ids if id in numbers]
    what = f"{deed.act} (offered as {[*deed.ids.values()]}, landed as {landed}, {deed.error!r})"
    several = deed.act.verb == "collect"
    assert len(landed) <= 1 or several, f"made twice: {what}"
    assert all(number > deed.least for number in landed), f"landed before what it had to know: {what}"
    if not deed.ended or isinstance(deed.error, UnknownOutcomeError):
        return
    if deed.error is not None:
        assert several or not landed, f"refused, but there: {what}"
        _check_refusal(history, deed, books, what)
    elif deed.ids:
        # Another may have done meanwhile what was asked for: then nothing remains to be said.
        done = deed.act.verb == "rename" and any(
            deed.act.other in names_in(book) for book in books[deed.least : deed.most + 1]
        )
        assert landed[-1:] == [[*deed.ids.values()][-1]] or (done and not landed), f"acknowledged, but lost: {what}"
    else:
        idle = deed.act.verb in ("look", "reopen", "snapshot", "rename", "collect")
        assert idle, f"acknowledged without a commit: {what}"


def _check_refusal(history: History, deed: Deed, books: Sequence[Book], what: str) -> None:
    weather, error = history.plan.weather, deed.error
    if isinstance(error, StorageError):
        assert weather.refused or weather.lost or weather.blind, f"an error without a fault: {what}"
    elif isinstance(error, ConflictError):
        assert deed.most > deed.least, f"a conflict with nobody: {what}"
    elif deed.power_cuts == history.world.power_cuts:  # else what it saw may be gone
        assert isinstance(error, NotFoundError | AlreadyExistsError | IntegrityError | FormatError), what
        window = books[deed.least : deed.most + 1]
        reasons = {kind for book in window for kind in deed.act.refusals(book)}
        assert type(error) in reasons or weather.blind, f"no reason to refuse: {what}"


def _check_resolved(history: History, session: Session, deed: Deed, numbers: dict[str, int]) -> None:
    error = deed.error
    if isinstance(error, UnknownOutcomeError):
        there = numbers.get(error.commit_id)
        assert there in (None, error.commit), f"{deed.act} landed as {there}, and was said to be {error.commit}"
        assert session.resolve(error.commit_id, commit=error.commit) == there
        assert session.resolve(error.commit_id) == there
        sure = deed.power_cuts == history.world.power_cuts
        assert not sure or deed.resolved in (None, there), f"{deed.act} was resolved as {deed.resolved}: {there}"


def _check_sights(history: History, entries: Sequence[Entry], books: Sequence[Book]) -> None:
    for sight in history.sights:
        head = sight.head
        stands = head.commit == 0 or (head.commit <= len(entries) and entries[head.commit - 1].head == head)
        if stands:
            assert sight.book == books[head.commit], f"{sight.client} saw commit {head.commit} as it never was"
        else:
            lost = sight.power_cuts < history.world.power_cuts
            assert lost, f"{sight.client} saw a commit {head.commit} that is not in the log"
