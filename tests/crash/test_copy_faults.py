"""A fault before and after every storage call of a copy, in the original and in the copy, one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest

from localreg import Registry
from localreg.copies import CopyReport, copy_namespace
from localreg.errors import LocalregError
from localreg.log.entry import entry_path
from localreg.session import Session
from localreg.session.location import NAME, mirror, open_or_make, root_store
from localreg.storage import MemoryStore, Store
from localreg.testing import CrashedError, FaultyStore
from tests.crash.scenarios import open_at, upload_and_run, view
from tests.crash.strikes import Strikes

When = Literal["before", "after"]
Side = Literal["source", "target"]
Kind = Literal["mirror", "import", "more"]


def place() -> Store:
    """A place with nothing in it, and an address of its own."""
    return MemoryStore.named(f"copy-faults-{next(_numbers)}")


_numbers = itertools.count()


@pytest.fixture(scope="module")
def original() -> Store:
    """A registry with an artifact and a test case."""
    root = place()
    registry = Registry(open_at(root))
    registry.create_model("old").upload(b"weights", name="weights")
    upload_and_run()[0](registry)
    return root


def twin(store: Store) -> Store:
    copy = place()
    for path in store.list(""):
        copy.put(path, store.get(path) or b"")
    return copy


def empty(original: Store, kind: Kind) -> Store:
    """The place that is copied to, as it is before."""
    root = place()
    if kind == "import":
        Registry(open_at(root, actor="ben")).create_model("own")
    if kind == "more":
        copied(original, root, "mirror", upto=2)
    return root


def at(root: Store, name: str) -> Session:
    file, _ = open_or_make(root, make=False)
    return Session(root, file, name, actor="ana")


def name_of(kind: Kind) -> str:
    return "copied" if kind == "import" else "default"


def copied(source: Store, target: Store, kind: Kind, *, upto: int | None = None) -> CopyReport:
    """What `registry.copy` does, on stores."""
    session = open_at(source)
    if target.get(NAME) is None:
        mirror(target, source.get(NAME) or b"")
    there = at(target, name_of(kind))
    shown = session if upto is None else session.at(commit=upto)
    return copy_namespace(shown, there, there.namespace, "there", dry_run=False, message=None)


def faults(
    original: Store, kind: Kind, side: Side, when: When, *, dead: bool
) -> Iterator[tuple[str, Store, list[str]]]:
    """A copy once for each storage call, with a fault at it: what is told of it, what is left, what was written."""
    for k in (strikes := Strikes()):
        source, target = twin(original), empty(original, kind)
        store = FaultyStore(source if side == "source" else target, fail_at=k, when=when, then_dead=dead)
        written = FaultyStore(target, fail_at=0, when="before") if side == "source" else store
        error: BaseException | None = None
        try:
            copied(store if side == "source" else source, written, kind)
        except (LocalregError, CrashedError) as raised:
            error = raised
        strikes.called(store.calls)
        if k == 0:
            assert error is None
            assert len(store.calls) > 10, "the copy made hardly a call: nothing is tested"
            continue
        told = f"{when} call {k} of the {side}, {' '.join(store.calls[k - 1])}: {error!r}"
        done = [call for number, call in enumerate(written.calls, 1) if side == "source" or number != k]
        yield told, target, [call.path for call in done if call.verb in ("writer_close", "put_if_absent")]


def check_between(target: Store, original: Store, kind: Kind, told: str) -> None:
    """At every moment the copy shows one commit of the original whole, or nobody reads it."""
    if target.get(NAME) is None:
        return
    session = at(target, name_of(kind))
    try:
        state = session.state()
    except LocalregError as error:
        if kind != "import" or error.code != "entry_swapped":
            raise AssertionError(told) from error
    else:
        commits = open_at(original).state().head.commit
        expected = open_at(original).at(commit=min(state.head.commit, commits)).state()
        assert seen(state) == seen(expected), told
        assert not state.head.commit or kind != "import" or state.head.commit == commits + 2, told
        assert session.verify().ok, told
    if kind == "import":
        assert at(target, "default").verify().ok, told


def seen(state: object) -> list[str]:
    return [line for line in view(state) if not line.startswith(("namespace", "feature"))]  # type: ignore[arg-type]


CASES: list[tuple[Kind, Side, bool]] = [
    ("mirror", "source", True),
    ("mirror", "target", True),
    ("import", "target", True),
    ("import", "target", False),
    ("more", "target", True),
]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("kind", "side", "dead"), CASES)
def test_a_copy_that_ends_at_any_storage_call_is_sound_and_goes_on(
    original: Store, kind: Kind, side: Side, when: When, dead: bool
) -> None:
    commits = open_at(original).state().head.commit
    for told, target, done in faults(original, kind, side, when, dead=dead):
        check_between(target, original, kind, told)
        again = FaultyStore(target, fail_at=0, when="before")
        report = copied(original, again, kind)
        twice = {call.path for call in again.calls if call.verb in ("writer_close", "put_if_absent")} & set(done)
        assert not {path for path in twice if "/log/" in path or "/data/" in path or "/artifacts/" in path}, told
        session = at(target, name_of(kind))
        verified = session.verify()
        assert verified.ok, f"{told}\n{verified}"
        assert seen(session.state()) == seen(open_at(original).state()), told
        assert report.digest == open_at(original).state().head.digest, told
        assert session.state().head.commit == commits + 2 * (kind == "import"), told
        assert (report.imported is not None) == (kind == "import"), told
        Registry(session).create_model("next")
        assert session.verify().ok, told


def test_a_killed_writer_on_a_disk_leaves_half_a_file_that_is_copied_anew(original: Store, tmp_path: Path) -> None:
    """A memory store shows a file when it is whole; a folder shows what a killed process left of it."""
    (path,) = [path for path in original.list("") if "/artifacts/" in path]
    root = root_store(str(tmp_path / "mirror"))
    copied(original, root, "mirror", upto=1)
    half = tmp_path / "mirror" / path
    half.parent.mkdir(parents=True)
    half.write_bytes(b"wei")
    copied(original, root, "mirror")
    assert half.read_bytes() == b"weights"
    assert open_at(root).verify().ok


def test_a_redaction_that_a_copy_did_not_bring_over_whole_is_brought_over_by_the_next(original: Store) -> None:
    for k in (strikes := Strikes()):
        source, target = twin(original), place()
        registry = Registry(open_at(source))
        model = registry.create_model("leaky", metadata={"key": "s3cr3t"})
        copied(source, target, "mirror")
        model.update(unset=["key"])
        registry.redact(model, reason="slipped in")
        store = FaultyStore(target, fail_at=k, when="after", then_dead=True)
        with suppress(CrashedError):
            copied(source, store, "mirror")
        assert open_at(target).state().find("model", "leaky")
        strikes.called(store.calls)
        copied(source, target, "mirror")
        assert not [path for path in target.list("") if b"s3cr3t" in (target.get(path) or b"")], store.calls[k - 1]
        assert open_at(target).verify().ok, store.calls[k - 1]


def test_somebody_else_takes_the_next_number_of_a_copy(original: Store) -> None:
    """Found while it copies: what is written then is not the original's."""

    class Raced(FaultyStore):
        def put_if_absent(self, path: str, data: bytes, **options: object) -> bool:
            if path == entry_path(3):
                Registry(at(target, "default")).create_model("in between")
            return super().put_if_absent(path, data, **options)  # type: ignore[arg-type]

    target: Store = place()
    copied(original, target, "mirror", upto=1)
    there = at(target, "default")
    there.store = Raced(there.store, fail_at=0, when="before")
    with pytest.raises(LocalregError, match="written by somebody else a moment ago") as raised:
        copy_namespace(open_at(original), there, "default", "there", dry_run=False, message=None)
    assert raised.value.code == "diverged"
    assert at(target, "default").verify().ok
