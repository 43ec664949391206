"""Signed commits: what nobody listed has signed changes nothing, is named, and stops nobody."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import localreg
from localreg import Registry
from localreg.canonical import JsonObject, parse
from localreg.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    FormatError,
    IntegrityError,
    InvalidInputError,
    LocalregError,
    NotFoundError,
    PolicyError,
    StorageError,
)
from localreg.log import Change, Log, features, snapshot
from localreg.log.entry import Head, Provenance, entry_path
from localreg.log.known_signers import known_signers
from localreg.log.layer import footer_digest
from localreg.log.parquet import decode, encode
from localreg.log.signing import fingerprint, public_key
from localreg.session import signing_key
from tests.signing import LogFolder, key_file, key_of, public_text, signed_registry

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:localreg.cli")


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Registry]:
    """A registry in which ana signs, and the model `m` is; opened by her."""
    with signed_registry(tmp_path) as registry:
        yield registry


@pytest.fixture
def log(signed: Registry) -> LogFolder:
    """What everybody sees of it who may write into its folder."""
    return LogFolder(signed)


def reopened(registry: Registry, *, newcomer: bool = False, signing_key: Path | None = None) -> Registry:
    """As another process opens it; a newcomer's machine has never seen it."""
    if newcomer:
        shutil.rmtree(Path(os.environ["LOCALREG_STATE"]) / "notes/signers", ignore_errors=True)
    return localreg.open(registry.uri, actor="ben", signing_key=signing_key)


def names(registry: Registry) -> list[str]:
    return sorted(row["name"] for row in registry.models().dicts())


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_public_key_reads_as_openssh_writes_it() -> None:
    key = key_of("ana")
    text = key._key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert text.decode() == public_text("ana")
    assert public_key(f" {text.decode()} ana@laptop\n") == key.public
    assert fingerprint(key.public).startswith("SHA256:")
    assert len(fingerprint(key.public)) == 50


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 ====",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAB3NzaC1yc2E=",
        "ssh-ed25519 é",
        public_text("ana")[:-4],
        public_text("ana").replace("ssh-ed25519 ", "ssh-ed25519 AAAA"),
        None,
        7,
    ],
)
def test_what_is_no_public_key_is_none(text: object) -> None:
    assert public_key(text) is None


@pytest.mark.parametrize("openssh", [True, False])
def test_a_private_key_may_be_of_openssh_or_pem_and_encrypted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, openssh: bool
) -> None:
    plain = key_file(tmp_path, "ana", openssh=openssh)
    assert signing_key.read_key(plain).public == key_of("ana").public
    monkeypatch.setenv(signing_key.PASSPHRASE, "not needed")
    assert signing_key.read_key(plain).public == key_of("ana").public
    locked = key_file(tmp_path, "ben", passphrase="horse", openssh=openssh)
    with pytest.raises(InvalidInputError, match="or its passphrase is wrong"):
        signing_key.read_key(locked)
    monkeypatch.setenv(signing_key.PASSPHRASE, "horse")
    assert signing_key.read_key(locked).public == key_of("ben").public
    monkeypatch.delenv(signing_key.PASSPHRASE)
    with pytest.raises(InvalidInputError, match="is encrypted; give its passphrase by LOCALREG_SIGNING_PASSPHRASE"):
        signing_key.read_key(locked)
    asked: list[str] = []

    def ask(path: str) -> str:
        asked.append(path)
        return "horse"

    monkeypatch.setattr(signing_key, "ask_passphrase", [ask])
    assert signing_key.read_key(locked).public == key_of("ben").public
    assert asked == [str(locked)]


def test_a_file_that_is_no_ed25519_key_is_refused_by_name(tmp_path: Path) -> None:
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    for number, content in enumerate(
        (
            b"",
            b"\xff\x00 no key",
            b"x" * 100_000,
            b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
            rsa.generate_private_key(65537, 2048).private_bytes(pem, form, plain),
            ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, form, plain),
        )
    ):
        path = tmp_path / f"{number}.key"
        path.write_bytes(content)
        with pytest.raises(InvalidInputError, match=f"{number}.key' is no private Ed25519 key"):
            signing_key.read_key(path)
    with pytest.raises(InvalidInputError, match="cannot be read"):
        signing_key.read_key(tmp_path)
    public = tmp_path / "ana.pub"
    public.write_text(f"{public_text('ana')} ana@here\n")
    with pytest.raises(InvalidInputError, match=r"ana.pub' is a public key, .* without `\.pub`"):
        signing_key.read_key(public)
    with pytest.raises(InvalidInputError, match="there is no such file; `localreg signers keygen PATH` makes one"):
        localreg.open(tmp_path / "r", signing_key=tmp_path / "none")
    assert not (tmp_path / "r").exists()


def test_the_key_may_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = signed_registry(tmp_path)
    monkeypatch.setenv(signing_key.KEY, str(key_file(tmp_path, "ana")))
    reopened(registry).create_model("n")
    monkeypatch.setenv(signing_key.KEY, str(tmp_path / "none"))
    with pytest.raises(InvalidInputError, match="none' cannot be read"):
        reopened(registry).create_model("o")
    assert names(reopened(registry)) == ["m", "n"]  # reading needs no key


# --- who signs --------------------------------------------------------------------------------------------------------


def test_the_first_signer_must_be_the_own_key(tmp_path: Path) -> None:
    registry = localreg.open(tmp_path / "registry", actor="ana", signing_key=key_file(tmp_path, "ana"))
    registry.create_model("m")
    for opened in (registry, reopened(registry)):
        with pytest.raises(PolicyError, match="must be you") as caught:
            opened.add_signer("ben", public_text("ben"))
        assert caught.value.code == "no_signing_key"
    assert registry.commit == 1
    with (
        pytest.raises(InvalidInputError, match="the first signer closes the namespace"),
        registry.transaction(),
    ):
        registry.add_signer("ana", public_text("ana"))
    assert registry.commit == 1
    registry.add_signer("ana", public_text("ana"))
    assert [(row["kind"], row["action"], row["commit"]) for row in registry.audit(since=1).dicts()] == [
        ("feature", "create", 2),
        ("signer", "add", 3),
    ]


def test_signers_are_listed_added_and_removed_by_signed_commits(signed: Registry, tmp_path: Path) -> None:
    signed.add_signer("ben", public_text("ben"))
    signed.add_signer("ben", public_text("ben"))  # who is listed already
    with pytest.raises(AlreadyExistsError, match="with another key"):
        signed.add_signer("ben", public_text("eve"))
    with pytest.raises(AlreadyExistsError, match="is that of the signer 'ben' already"):
        signed.add_signer("ben again", public_text("ben"))
    pub = tmp_path / "eve.pub"
    pub.write_text(f"{public_text('eve')} eve@laptop\n", encoding="utf-8")
    signed.add_signer("eve", pub)
    assert [(row["name"], row["key"], row["fingerprint"]) for row in signed.signers().dicts()] == [
        (name, public_text(name), fingerprint(key_of(name).public)) for name in ("ana", "ben", "eve")
    ]
    ben = reopened(signed, signing_key=key_file(tmp_path, "ben"))
    ben.remove_signer("ana")
    with pytest.raises(AccessDeniedError, match=r"signers \('ben', 'eve'\), and the key SHA256:.* is none of theirs"):
        signed.create_model("n")
    with pytest.raises(NotFoundError, match="has no signer 'bem'; did you mean 'ben'"):
        ben.remove_signer("bem")
    ben.remove_signer("eve")
    with pytest.raises(PolicyError, match="would have no signer"):
        ben.remove_signer("ben")
    with pytest.raises(PolicyError, match="would have no signer"):
        ben.undo(4)
    ben.create_model("n")
    assert names(reopened(signed, newcomer=True)) == ["m", "n"]
    assert reopened(signed).verify().ok


@pytest.mark.parametrize("key", ["", "x", "ssh-ed25519 AAAA", "ssh-rsa AAAA", "/none.pub", b"x", 7, None])
def test_what_is_no_public_key_cannot_be_added(signed: Registry, key: object) -> None:
    with pytest.raises(InvalidInputError, match="public_key is"):
        signed.add_signer("ben", key)  # type: ignore[arg-type]


def test_a_private_key_is_not_taken_for_a_public_one(signed: Registry, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="a private key, which nobody else should see"):
        signed.add_signer("ben", key_file(tmp_path, "ben"))
    assert [signer["name"] for signer in signed.signers().dicts()] == ["ana"]


@pytest.mark.parametrize("there", ["key", "key.pub"])
def test_making_a_key_leaves_no_half_of_one(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(InvalidInputError, match=f"{there}' is there"):
        signing_key.make_key(tmp_path / "key")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    with pytest.raises(InvalidInputError, match="folder that may be written to"):
        signing_key.make_key(tmp_path / "nowhere" / "key")


WRITES: dict[str, Callable[[Registry], object]] = {
    "a model": lambda registry: registry.create_model("new"),
    "an update": lambda registry: registry.get_model("m").update(metadata={"a": 2}),
    "an upload": lambda registry: registry.get_model("m").upload(b"x" * 100_000, name="x"),
    "an event": lambda registry: registry.get_model("m").event("deployed"),
    "an experiment": lambda registry: registry.experiment("e"),
    "a transaction": lambda registry: registry.transaction().__enter__(),
    "a grant": lambda registry: registry.grant("eve", "owner"),
    "a signer": lambda registry: registry.add_signer("eve", public_text("eve")),
    "no signer": lambda registry: registry.remove_signer("ana"),
    "an undo": lambda registry: registry.undo(registry.commit),
    "a redaction": lambda registry: registry.redact(commit=1, reason="why"),
    "a table": lambda registry: registry.get_model("m").log_events([{"name": "x"}]),
}


@pytest.mark.parametrize("write", WRITES)
def test_who_has_no_key_is_refused_before_anything_is_written(signed: Registry, write: str, tmp_path: Path) -> None:
    signed.get_model("m").create_version("1")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "tmp" not in path.parts}
    with pytest.raises(AccessDeniedError, match=r"signed by its signers.*nothing was written") as caught:
        WRITES[write](reopened(signed))
    assert caught.value.code == "no_signing_key"
    assert before == {
        path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "tmp" not in path.parts
    }


def test_a_release_that_does_not_know_signers_refuses(signed: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "KNOWN", frozenset())
    for _ in range(2):
        with pytest.raises(FormatError, match="uses signers, which readers must know"):
            reopened(signed).models()


def test_where_nobody_signs_nothing_is_signed_and_no_key_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(signing_key.KEY, str(tmp_path / "none"))
    registry = localreg.open(tmp_path / "registry", actor="ana")
    registry.create_model("m")
    assert LogFolder(registry).rows(1)[-1].signature == ""
    assert registry.void_entries() == []


# --- forgeries --------------------------------------------------------------------------------------------------------

Forge = Callable[[LogFolder, Registry], "list[bytes]"]


def _unsigned(log: LogFolder, _: Registry) -> list[bytes]:
    return [log.forged(None, after=log.last, number=log.last + 1)]


def _another_key(log: LogFolder, _: Registry) -> list[bytes]:
    return [log.forged("eve", after=log.last, number=log.last + 1)]


def _lists_himself(log: LogFolder, _: Registry) -> list[bytes]:
    record: JsonObject = {"id": "e" * 32, "name": "eve", "key": public_text("eve")}
    changes = [Change("signer", "add", "e" * 32, "eve", after=record)]
    return [log.forged("eve", after=log.last, number=log.last + 1, changes=changes)]


def _replayed(log: LogFolder, _: Registry) -> list[bytes]:
    return [log.path(number).read_bytes() for number in (log.last, log.last - 1, 1)]


def _swapped_signature(log: LogFolder, _: Registry) -> list[bytes]:
    rows = log.rows(log.last)
    data = log.forged("eve", after=log.last, number=log.last + 1)
    forged = decode(data, name="x")
    return [encode([*forged[:-1], forged[-1]._replace(signature=rows[-1].signature)])]


def _of_another_namespace(log: LogFolder, registry: Registry) -> list[bytes]:
    number = log.last + 1
    return [log.forged("ana", after=log.last, number=number, origin="0" * 64)]


def _odd_signatures(log: LogFolder, _: Registry) -> list[bytes]:
    (row,) = decode(log.forged("ana", after=log.last, number=log.last + 1), name="x")
    odd = ["x", row.signature[:-1], row.signature.upper(), f"{row.signature} ", f"ed25519:{'f' * 64}:{'f' * 128}"]
    return [encode([row._replace(signature=text)]) for text in odd]


def _garbage(log: LogFolder, _: Registry) -> list[bytes]:
    whole = log.path(log.last).read_bytes()
    return [b"", b"garbage", whole[:-1], b"PAR1" + b"\0" * 100 + b"PAR1"]


FORGERIES: dict[str, Forge] = {
    "an unsigned entry": _unsigned,
    "an entry signed by another key": _another_key,
    "an entry that lists its own signer": _lists_himself,
    "old entries at new numbers": _replayed,
    "the signature of another entry": _swapped_signature,
    "an entry signed for another namespace": _of_another_namespace,
    "signatures that are none": _odd_signatures,
    "garbage": _garbage,
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_no_signer_signed_is_void_is_named_and_stops_nobody(
    signed: Registry, log: LogFolder, forgery: str, caplog: pytest.LogCaptureFixture
) -> None:
    signed.create_model("n")
    watcher = reopened(signed)
    assert names(watcher) == ["m", "n"]
    last = log.last
    forged = FORGERIES[forgery](log, signed)
    for place, data in enumerate(forged, last + 1):
        log.write(place, data)
    numbers = list(range(last + 1, last + 1 + len(forged)))
    with caplog.at_level(logging.WARNING, "localreg"):
        for reader in (watcher, signed, reopened(signed), reopened(signed, newcomer=True)):
            assert names(reader) == ["m", "n"]
            assert [signer["name"] for signer in reader.signers().dicts()] == ["ana"]
            assert reader.commit == last
            assert [void.commit for void in reader.void_entries()] == numbers
    assert all(f"{number:020d}.parquet is void" in caplog.text for number in numbers)
    signed.create_model("o")
    assert signed.commit == numbers[-1] + 1
    for reader in (watcher, signed, reopened(signed), reopened(signed, newcomer=True)):
        assert names(reader) == ["m", "n", "o"]
        assert {row["commit"] for row in reader.audit().dicts()} == {*range(1, last + 1), numbers[-1] + 1}
        assert [void.commit for void in reader.void_entries()] == numbers
    report = signed.verify()
    assert report.ok
    assert [void.commit for void in report.void] == numbers
    assert "is void" in str(report)
    doctor = reopened(signed).doctor()
    assert doctor.ok
    assert any("is void" in finding.message for finding in doctor.findings)


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("ahead", [2, 3, 9, 1_000])
def test_junk_ahead_of_the_log_stops_nobody(
    signed: Registry, log: LogFolder, tmp_path: Path, forgery: str, ahead: int
) -> None:
    last = log.last
    if ahead == 3:
        signed.snapshot()  # at the very end: no entry is read that tells of signers
    log.write(last + ahead, FORGERIES[forgery](log, signed)[0])
    for reader in (signed, reopened(signed), reopened(signed, newcomer=True)):
        assert reader.commit == last
        assert not reader.doctor().problems
        report = reader.verify()
        assert report.ok
        assert [void.commit for void in report.void] == [last + ahead]
    writes = min(ahead, 9)
    for number in range(writes):
        reopened(signed, signing_key=key_file(tmp_path, "ana")).create_model(f"next {number}")
    passed = ahead <= writes
    report = reopened(signed).verify()
    assert report.ok
    assert report.commits == last + writes
    assert reopened(signed).commit == last + writes + passed
    assert [void.commit for void in report.void] == [last + ahead]


@pytest.mark.parametrize("junk", [False, True])
def test_what_a_signer_signed_ahead_of_the_log_tells_of_a_gap(signed: Registry, log: LogFolder, junk: bool) -> None:
    signed.create_model("n")
    signed.create_model("o")
    last = log.last
    lost = log.path(last - 1)
    lost.unlink()
    if junk:  # which hides nothing
        log.write(last + 1, b"garbage")
    with pytest.raises(IntegrityError, match="is missing"):
        reopened(signed).create_model("p")
    assert reopened(signed).verify().problems[0].code == "entry_missing"
    assert not reopened(signed).doctor().ok


def test_junk_in_a_gap_does_not_hide_what_is_missing_before_it(signed: Registry, log: LogFolder) -> None:
    for name in "nopq":
        signed.create_model(name)
    last = log.last
    log.path(last - 2).unlink()
    log.write(last - 1, b"garbage")
    problems = reopened(signed).verify().problems
    assert [(each.path, each.code) for each in problems] == [(entry_path(last - 2), "entry_missing")]


def test_an_entry_of_a_removed_signer_is_void_and_those_before_stay(tmp_path: Path) -> None:
    signed = signed_registry(tmp_path, "ana", "ben")
    ben = reopened(signed, signing_key=key_file(tmp_path, "ben"))
    ben.create_model("n")
    signed.remove_signer("ben")
    log = LogFolder(signed)
    log.write(log.last + 1, log.forged("ben", after=log.last, number=log.last + 1))
    assert names(reopened(signed, newcomer=True)) == ["m", "n"]
    (void,) = signed.void_entries()
    assert void.reason == f"it is signed by {fingerprint(key_of('ben').public)}, which is no signer at that point"
    with pytest.raises(AccessDeniedError):
        ben.create_model("o")


def test_an_entry_that_removes_all_signers_is_void(signed: Registry, log: LogFolder) -> None:
    (row,) = signed.signers().dicts()
    before: JsonObject = {"id": row["id"], "name": "ana"}
    gone = [Change("signer", "remove", row["id"], "ana", before=before)]
    log.write(log.last + 1, log.forged("ana", after=log.last, number=log.last + 1, changes=gone))
    assert [void.reason for void in signed.void_entries()] == ["it would leave the namespace without a signer"]
    signed.create_model("n")
    assert names(reopened(signed)) == ["m", "n"]


@pytest.mark.parametrize("name", [None, "eve"])
def test_nobody_closes_a_namespace_by_listing_a_key_that_he_does_not_hold(tmp_path: Path, name: str | None) -> None:
    registry = localreg.open(tmp_path / "registry", actor="ana")
    registry.create_model("m")
    log = LogFolder(registry)
    record: JsonObject = {"id": "a" * 32, "name": "ana", "key": public_text("ana")}
    changes = [Change("signer", "add", "a" * 32, "ana", after=record)]
    log.write(2, log.forged(name, after=1, number=2, changes=changes))
    registry.create_model("n")
    assert names(reopened(registry)) == ["m", "n"]
    assert registry.commit == 3
    assert registry.signers().dicts() == []


# --- what a signer did sign is never passed over ----------------------------------------------------------------------


def _stripped(log: LogFolder, number: int) -> None:
    log.write(number, [row._replace(signature="") for row in log.rows(number)])


def _altered_record(log: LogFolder, number: int) -> None:
    log.write(number, [row._replace(record=row.record.replace('"ana"', '"eve"')) for row in log.rows(number)])


def _altered_payload(log: LogFolder, number: int) -> None:
    log.write(number, [row._replace(payload=row.payload.replace("null", "true")) for row in log.rows(number)])


def _removed(log: LogFolder, number: int) -> None:
    log.path(number).unlink()


def _replaced(log: LogFolder, number: int) -> None:
    log.write(number, log.forged("eve", after=number - 1, number=number))


@pytest.mark.parametrize("act", [_stripped, _altered_record, _altered_payload, _removed, _replaced])
def test_a_signed_entry_that_is_followed_by_another_cannot_be_altered_or_removed(
    signed: Registry, log: LogFolder, act: Callable[[LogFolder, int], None]
) -> None:
    signed.create_model("n")
    signed.create_model("o")
    act(log, log.last - 1)
    for newcomer in (False, True):
        with pytest.raises(IntegrityError):
            names(reopened(signed, newcomer=newcomer))
    assert not signed.verify().ok


@pytest.mark.parametrize("act", [_altered_record, _altered_payload])
def test_a_last_entry_that_a_signer_signed_and_that_does_not_fit_is_damaged_and_not_void(
    signed: Registry, log: LogFolder, act: Callable[[LogFolder, int], None]
) -> None:
    signed.create_model("n")
    act(log, log.last)
    with pytest.raises(IntegrityError, match="altered"):
        names(reopened(signed))


def test_what_was_said_of_a_signer_cannot_be_emptied(signed: Registry, log: LogFolder) -> None:
    signed.add_signer("ben", public_text("ben"))
    signed.remove_signer("ben")
    with pytest.raises(InvalidInputError, match="a signer cannot be redacted"):
        signed.redact(commit=4, reason="why")
    log.write(3, [row._replace(payload="") for row in log.rows(3)])
    with pytest.raises(IntegrityError, match="what it said of a signer is gone"):
        names(reopened(signed))


# --- snapshots and segments -------------------------------------------------------------------------------------------


def _filled(registry: Registry, count: int = 70) -> None:
    for number in range(count):
        registry.create_model(f"filler {number:03d}")


def test_a_signed_snapshot_is_used_by_who_knows_the_signer(signed: Registry) -> None:
    _filled(signed)
    (path,) = snapshot.paths(signed._session.store)
    assert reopened(signed)._session.log.load().base.path == path
    newcomer = reopened(signed, newcomer=True)
    assert newcomer._session.log.snapshot() is not None  # by now: it has folded the log, which tells who signs
    shutil.rmtree(Path(os.environ["LOCALREG_STATE"]) / "notes/signers")
    stranger = Log(signed._session.store, signed.id, "default")
    assert stranger.snapshot() is None
    assert stranger.load().base.path == ""
    assert stranger.snapshot() is not None
    assert known_signers(signed._session.store, stranger.origin.digest) == {key_of("ana").public}


def _forged_snapshot(registry: Registry, name: str | None, *, lists: str | None) -> str:
    """A snapshot of the newest commit that says something else, signed by a name; its path."""
    session = registry._session
    state = session.state()
    draft = state.draft()
    record: JsonObject = {"id": "e" * 32, "name": "forged"}
    stamp = session._new_changes(state, {})
    draft.apply(Change("model", "create", "e" * 32, "forged", after=record), _Stamp(state.head, stamp.time))
    if lists is not None:
        for row in state.rows("signer"):
            draft.apply(Change("signer", "remove", row.id, row.name, before=row.record), _Stamp(state.head, stamp.time))
        key: JsonObject = {"id": "d" * 32, "name": lists, "key": public_text(lists)}
        draft.apply(Change("signer", "add", "d" * 32, lists, after=key), _Stamp(state.head, stamp.time))
    forged = draft.frozen(state.head)
    forged.base = type(state)(state.head).base
    forged._rows = {(row.kind, row.id): row for row in draft.rows()}
    for path in snapshot.paths(session.store):
        session.store.delete(path)
    key_ = None if name is None else key_of(name)
    return snapshot.save(session.store, session.log.origin.digest, forged, lambda: forged, key=key_).base.path


class _Stamp:
    def __init__(self, head: Head, time: str) -> None:
        self.commit, self.event, self.time, self.actor = head.commit, 1, time, "eve"


@pytest.mark.parametrize("newcomer", [False, True])
@pytest.mark.parametrize(("name", "lists"), [(None, None), ("eve", None), ("eve", "eve"), (None, "eve")])
def test_a_forged_snapshot_is_not_believed(
    signed: Registry, name: str | None, lists: str | None, newcomer: bool
) -> None:
    signed.create_model("n")
    _forged_snapshot(signed, name, lists=lists)
    assert names(reopened(signed, newcomer=newcomer)) == ["m", "n"]
    signed.create_model("o")
    opened = reopened(signed, newcomer=newcomer)
    assert names(opened) == ["m", "n", "o"]
    assert [row["name"] for row in opened.signers().dicts()] == ["ana"]


@pytest.mark.parametrize("at", [3, 4])
def test_a_forged_snapshot_that_shows_no_signers_is_not_believed_by_a_newcomer(
    signed: Registry, log: LogFolder, at: int
) -> None:
    """Whoever knows nobody here finds out by the signatures of what follows it, or of its own entry."""
    signed.create_model("n")
    session = signed._session
    past = signed.at(commit=at - 1)._session.state() if at == 3 else session.state()
    draft = past.draft()
    for kind in ("signer", "feature"):
        for row in list(past.rows(kind)):
            draft.apply(Change(kind, "remove", row.id, row.name, before={}), _Stamp(past.head, ""))
    record: JsonObject = {"id": "e" * 32, "name": "forged"}
    draft.apply(Change("model", "create", "e" * 32, "forged", after=record), _Stamp(past.head, past.head.time))
    forged = draft.frozen(past.head)
    forged.base = type(past)(past.head).base
    forged._rows = {(row.kind, row.id): row for row in draft.rows()}
    path = snapshot.save(session.store, session.log.origin.digest, forged, lambda: forged).base.path
    assert snapshot.hinted(session.store) == path
    assert names(reopened(signed, newcomer=True)) == ["m", "n"]


def test_rows_of_a_signed_snapshot_that_were_altered_with_their_checksums_are_noticed(signed: Registry) -> None:
    _filled(signed)
    store = signed._session.store
    (path,) = snapshot.paths(store)
    data = bytearray(store.get(path) or b"")
    before = names(reopened(signed))
    for place in (40, len(data) // 2):
        altered = bytearray(data)
        altered[place] ^= 1
        store.put(path, bytes(altered))
        log = Log(store, signed.id, "default")
        assert log.snapshot() is None  # at once: a page's checksum, which stands beside it, is no proof
        assert names(reopened(signed)) == before


def test_a_signature_does_not_go_with_another_footer(signed: Registry) -> None:
    _filled(signed)
    store = signed._session.store
    (path,) = snapshot.paths(store)
    data = store.get(path) or b""
    begin = len(data) - int.from_bytes(data[-8:-4], "little") - 8
    footer = data[begin:].replace(b"filler 001", b"filler 00x").replace(b"filler 000", b"filler 00y")
    assert footer != data[begin:]
    forged = f"snapshots/{int(path[10:30]):020d}-{footer_digest(footer)}.parquet"
    store.delete(path)
    store.put(forged, data[:begin] + footer)
    assert Log(store, signed.id, "default").snapshot() is None


def test_a_process_without_a_key_writes_no_snapshot(signed: Registry, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(300):
        signed.create_model(f"filler {number:03d}")
    store = signed._session.store
    for path in [*snapshot.paths(store), snapshot.HINT]:
        store.delete(path)
    reader = reopened(signed)
    assert len(names(reader)) == 301
    assert snapshot.paths(store) == []
    assert "no snapshot" not in caplog.text  # nor does it try
    with pytest.raises(LocalregError, match="believed only if a signer has signed it") as caught:
        reader.snapshot()
    assert caught.value.code == "no_signing_key"
    signed.snapshot()
    assert len(snapshot.paths(store)) == 1


def _events(registry: Registry) -> list[dict[str, Any]]:
    return [{**row} for row in registry.audit().dicts()]


def test_segments_of_old_events_are_signed_and_used(signed: Registry, tmp_path: Path) -> None:
    signed.create_model("early")
    _filled(signed, 64)
    signed.add_signer("ben", public_text("ben"))
    LogFolder(signed).write(LogFolder(signed).last + 1, b"spoiled")
    for number in range(64):
        signed.create_model(f"more {number}")
    every = [entry.head for entry in signed._session.log.entries(signed._session.log.origin)]
    expected = _events(signed)
    for opened in (reopened(signed), reopened(signed, newcomer=True)):
        past = opened._session.log.past_events(opened.commit)
        assert past.files
        assert len(past.tail) < len(every)
        assert _events(opened) == expected
        assert [entry.head for entry in opened._session.entries()] == every
        assert opened.at(time=every[3].time).commit == every[3].commit
        assert opened.at(time=every[-1].time).commit == every[-1].commit
    shutil.rmtree(signed._session.store.uri + "/history")
    assert _events(reopened(signed)) == expected


@pytest.mark.parametrize("name", [None, "eve", "kept"])
def test_a_forged_segment_is_not_believed(signed: Registry, name: str | None) -> None:
    _filled(signed)
    expected = _events(signed)
    log = signed._session.log
    (segment,) = log.history.listed()
    table, opened = log.history._table(segment)
    actors = pa.array(["eve"] * table.num_rows, pa.string())
    table = table.set_column(table.column_names.index("actor"), "actor", actors)
    key = None if name is None else key_of("eve")
    data = log.history._file(table, opened.before, opened.end, key)
    if name == "kept":
        old = str(_meta(log.store.get(segment.path) or b"")["signature"])
        data = data.replace(str(_meta(data)["signature"]).encode(), old.encode())
    path = f"{segment.path[:-40]}{sha256(data).hexdigest()[:32]}.parquet"
    log.store.delete(segment.path)
    log.store.put(path, data)
    assert log.history.listed()[0].path == path
    for newcomer in (False, True):
        assert _events(reopened(signed, newcomer=newcomer)) == expected


def _meta(data: bytes) -> JsonObject:
    meta = parse(pq.ParquetFile(pa.BufferReader(data)).metadata.metadata[b"localreg"])
    assert isinstance(meta, dict)
    return meta


# --- beside others ----------------------------------------------------------------------------------------------------


def test_writers_find_their_way_past_void_entries_that_take_the_numbers_before_them(tmp_path: Path) -> None:
    signed = signed_registry(tmp_path)
    log = LogFolder(signed)
    done = threading.Event()
    forged: list[int] = []

    def spoil() -> None:
        while not done.is_set() and len(forged) < 100:  # who is never done takes every number of a busy machine
            number = log.last + 1
            with suppress(FileExistsError):
                with log.path(number).open("xb") as file:
                    file.write(b"spoiled")
                forged.append(number)
            done.wait(0.002)

    def write(name: str) -> list[str]:
        mine = localreg.open(signed.uri, actor=name, signing_key=tmp_path / "ana.key")
        made = [f"{name} {number}" for number in range(10)]
        for each in made:
            mine.create_model(each)
        return made

    spoiler = threading.Thread(target=spoil)
    spoiler.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            made = [each for several in pool.map(write, "abcdefgh") for each in several]
    finally:
        done.set()
        spoiler.join()
    assert forged
    for newcomer in (False, True):
        assert names(reopened(signed, newcomer=newcomer)) == sorted(["m", *made])
    report = reopened(signed).verify()
    assert report.ok
    assert {void.commit for void in report.void} == set(forged)


def test_a_copy_of_a_commit_id_in_a_void_entry_is_not_taken_for_a_commit_that_landed(tmp_path: Path) -> None:
    """An attacker may see the staged file of a commit whose answer is lost, and put its id first into the log."""
    signed = signed_registry(tmp_path)
    log = signed._session.log
    state = signed._session.state()
    folder = LogFolder(signed)

    store = log.store

    class Stolen:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def put_if_absent(self, path: str, data: bytes, **_: object) -> bool:
            number = int(Path(path).stem)
            rows = decode(data, name=path)
            folder.write(number, [row._replace(signature="") for row in rows])
            raise StorageError("no answer", code="doubtful")

    change = Change("model", "create", "b" * 32, "n", after={"id": "b" * 32, "name": "n"})
    log.store = Stolen()
    try:
        landed = log.publish(state.head, [change], Provenance("ana", "host"), "c" * 32, key=key_of("ana"))
    finally:
        log.store = store
    assert landed is None
    assert signed._session.resolve("c" * 32, commit=state.head.commit + 1) is None
    signed.create_model("n")
    assert names(reopened(signed)) == ["m", "n"]


def test_an_entry_that_a_share_shows_in_part_for_a_while_is_not_gone_past(tmp_path: Path) -> None:
    """To go past it would be a fork, of which every reader has to be told for ever."""
    signed = signed_registry(tmp_path)
    log = signed._session.log
    state = signed._session.state()
    localreg.open(signed.uri, actor="ana", signing_key=tmp_path / "ana.key").create_model("theirs")
    path = entry_path(state.head.commit + 1)
    store, looks = log.store, iter([b"x", b"PAR1"])

    class Partly:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def get(self, asked: str, *, fresh: bool = False) -> bytes | None:
            return (
                next(looks, None) or store.get(asked, fresh=fresh) if asked == path else store.get(asked, fresh=fresh)
            )

    log.store = Partly()
    try:
        assert log.refresh(state) is state
        change = Change("model", "create", "b" * 32, "n", after={"id": "b" * 32, "name": "n"})
        made = log.publish(state.head, [change], Provenance("ana", "host"), "c" * 32, key=key_of("ana"))
    finally:
        log.store = store
    assert made is None
    signed.create_model("ours")
    assert names(reopened(signed)) == ["m", "ours", "theirs"]


# --- the past ---------------------------------------------------------------------------------------------------------


def test_looks_into_the_past_pass_over_void_entries(signed: Registry, log: LogFolder) -> None:
    last = log.last
    log.write(last + 1, b"spoiled")
    signed.create_model("n")
    log.write(last + 3, log.forged(None, after=last + 2, number=last + 3))
    signed.get_model("m").update(metadata={"a": 2})
    for opened in (signed, reopened(signed), reopened(signed, newcomer=True)):
        assert opened.commit == last + 4
        assert names(opened.at(commit=last + 1)) == ["m"]
        assert names(opened.at(commit=last + 3)) == ["m", "n"]
        assert [model.name for model in opened.diff(last + 1, last + 3).created] == ["n"]
        seen = [event.position.commit for event in opened.watch(last, timeout=0)]
        assert seen == [last + 2, last + 4]
        assert [event.position.commit for event in opened.watch((last + 1, 1), timeout=0)] == [last + 2, last + 4]
        assert [event.position.commit for event in opened.watch(last + 1, timeout=0)] == [last + 2, last + 4]
        assert len(opened.frozen().audit()) == len(opened.audit())
        assert [entry.commit for entry in opened._session.entries()][-2:] == [last + 2, last + 4]
    with pytest.raises(InvalidInputError, match=f"commit {last + 1} is void"):
        signed.undo(last + 1)
    signed.undo(last + 4)
    assert signed.get_model("m").metadata == {"a": 1}
    with pytest.raises(InvalidInputError, match=f"no commit {last + 1} to redact"):
        signed.redact(commit=last + 1, reason="why")


def test_redaction_keeps_signatures(signed: Registry, log: LogFolder) -> None:
    signed.get_model("m").update(metadata={"a": "secret"})
    signed.get_model("m").update(metadata={"a": "none"})
    commit = signed.commit - 1
    signature = log.rows(commit)[-1].signature
    signed.redact(signed.get_model("m"), reason="secret")
    assert log.rows(commit)[-1].signature == signature != ""
    assert log.rows(commit)[-1].payload == ""
    assert reopened(signed, newcomer=True).verify().ok
    assert reopened(signed).get_model("m").metadata == {"a": "none"}


def test_a_namespace_in_memory_is_signed_as_well(tmp_path: Path) -> None:
    registry = localreg.open("memory://signed", actor="ana", signing_key=key_file(tmp_path, "ana"))
    registry.add_signer("ana", public_text("ana"))
    _filled(registry)
    again = localreg.open("memory://signed", actor="ben")
    assert len(names(again)) == 70
    assert again._session.log.snapshot() is not None
    with pytest.raises(AccessDeniedError):
        again.create_model("n")
