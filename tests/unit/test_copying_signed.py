"""Copies of namespaces that list signers: void entries go along, and who imports signs."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import localreg
from localreg import AccessDeniedError, ConflictError, Registry
from localreg.log import Change
from localreg.log.entry import entry_path
from localreg.log.parquet import encode
from tests.signing import LogFolder, key_file, signed_registry


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Registry]:
    """A registry in which ana signs, with entries by others between hers: one of nobody, one that is no entry."""
    with signed_registry(tmp_path) as registry:
        log = LogFolder(registry)
        registry.create_model("a").upload(b"weights", name="weights")
        log.write(log.last + 1, log.forged(None, after=log.last, number=log.last + 1))
        log.write(log.last + 1, b"no entry")
        registry.create_model("b")
        log.write(log.last + 1, log.forged("eve", after=log.last, number=log.last + 1))
        registry.create_model("c")
        yield registry


@pytest.fixture
def elsewhere(tmp_path: Path) -> Registry:
    """Another registry, opened by ana with her key."""
    return localreg.open(tmp_path / "elsewhere", actor="ana", signing_key=key_file(tmp_path, "ana"))


def entries(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "namespaces/default/log").iterdir()}


def names(registry: Registry) -> list[str]:
    return sorted(row["name"] for row in registry.models().dicts())


def forget_what_this_machine_knows() -> None:
    shutil.rmtree(Path(os.environ["LOCALREG_STATE"]), ignore_errors=True)


def test_a_mirror_of_a_signed_namespace_has_its_void_entries_and_verifies(
    signed: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report = signed.copy(tmp_path / "mirror")
    assert report.commit == signed.commit
    assert entries(tmp_path / "mirror") == entries(tmp_path / "registry")
    assert signed.copy(tmp_path / "mirror").commits == 0
    mirror = localreg.open(tmp_path / "mirror", actor="ben")
    assert names(mirror) == ["a", "b", "c", "m"]
    verified = mirror.verify()
    assert verified.ok, verified
    assert verified.digest == report.digest
    assert len(verified.void) == 3
    assert "no snapshot" not in caplog.text
    void = [each.getMessage() for each in caplog.records if " is void: " in each.getMessage()]
    assert len(void) == len(set(void)) == 3, "once for each, of the mirror: those of the original were told before"


def test_a_mirror_goes_on_after_void_entries_and_ends_before_the_last_ones(signed: Registry, tmp_path: Path) -> None:
    log = LogFolder(signed)
    for commit in range(1, signed.commit):
        signed.at(commit=commit).copy(tmp_path / "mirror")
    log.write(log.last + 1, b"nothing that counts follows")
    signed.copy(tmp_path / "mirror")
    assert log.path(log.last).name not in entries(tmp_path / "mirror")
    signed.create_model("d")
    signed.copy(tmp_path / "mirror")
    assert entries(tmp_path / "mirror") == entries(tmp_path / "registry")
    assert localreg.open(tmp_path / "mirror").verify().ok


def test_a_mirror_needs_no_key_and_is_written_without_a_snapshot(
    signed: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = localreg.open(signed.uri, actor="ben")
    nobody.copy(tmp_path / "mirror")
    assert not list((tmp_path / "mirror").rglob("snapshots/*.parquet"))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING and "snapshot" in record.msg]
    forget_what_this_machine_knows()
    assert names(localreg.open(tmp_path / "mirror", actor="ben")) == ["a", "b", "c", "m"]


def test_what_was_redacted_beside_void_entries_is_emptied_in_the_copy(signed: Registry, tmp_path: Path) -> None:
    model = signed.create_model("leaky", metadata={"key": "s3cr3t"})
    signed.copy(tmp_path / "mirror")
    model.update(unset=["key"])
    signed.redact(model, reason="slipped in")
    signed.copy(tmp_path / "mirror")
    assert entries(tmp_path / "mirror") == entries(tmp_path / "registry")
    assert localreg.open(tmp_path / "mirror").verify().ok


def test_an_import_is_signed_with_the_key_of_who_copies(signed: Registry, elsewhere: Registry, tmp_path: Path) -> None:
    report = signed.copy(elsewhere.uri, name="copied")
    copied = elsewhere.namespace("copied")
    assert (report.commit, report.imported) == (signed.commit, signed.commit + 2)
    assert names(copied) == names(signed)
    copied.create_model("own")
    assert copied.verify().ok, copied.verify()
    assert len(copied.verify().void) == 3
    forget_what_this_machine_knows()
    assert names(localreg.open(elsewhere.uri, namespace="copied")) == [*names(signed), "own"]
    assert signed.copy(elsewhere, name="copied").imported == report.imported


def test_an_import_that_nobody_could_sign_is_refused_before_anything_is_copied(
    signed: Registry, tmp_path: Path
) -> None:
    other = localreg.open(tmp_path / "other", actor="ben")
    nobody = localreg.open(signed.uri, actor="ben")
    for target in (other, other.uri):
        with pytest.raises(AccessDeniedError) as raised:
            nobody.copy(target, name="copied")
        assert raised.value.code == "no_signing_key"
    assert not (tmp_path / "other/namespaces/copied").exists()


def test_a_signed_folder_that_was_copied_by_hand_is_imported_by_a_signer(
    signed: Registry, elsewhere: Registry, tmp_path: Path
) -> None:
    raw = tmp_path / "elsewhere/namespaces/raw"
    shutil.copytree(tmp_path / "registry/namespaces/default", raw)
    before = sorted(raw.rglob("*"))
    with pytest.raises(AccessDeniedError):
        localreg.open(elsewhere.uri, actor="ben").import_namespace("raw")
    assert sorted(raw.rglob("*")) == before
    report = elsewhere.import_namespace("raw")
    assert (report.commit, report.imported) == (signed.commit, signed.commit + 2)
    assert names(elsewhere.namespace("raw")) == names(signed)
    assert elsewhere.namespace("raw").verify().ok


def test_a_forged_import_is_void_and_the_true_one_is_made_after_it(
    signed: Registry, elsewhere: Registry, tmp_path: Path
) -> None:
    signed.at(commit=signed.commit).copy(elsewhere, name="copied")
    folder = tmp_path / "elsewhere/namespaces/copied"
    for number in (signed.commit + 1, signed.commit + 2):  # as eve would say that it was imported
        path = folder / entry_path(number)
        log = LogFolder(elsewhere.namespace("copied"))
        path.write_bytes(encode([row._replace(signature="") for row in log.rows(number)]))
    shutil.rmtree(folder / "snapshots")
    forget_what_this_machine_knows()
    report = signed.copy(localreg.open(elsewhere.uri, signing_key=key_file(tmp_path, "ana")), name="copied")
    assert report.imported == signed.commit + 4
    assert names(localreg.open(elsewhere.uri, namespace="copied")) == names(signed)


def test_a_mirror_in_which_others_took_the_next_number_is_refused(signed: Registry, tmp_path: Path) -> None:
    signed.copy(tmp_path / "mirror")
    taken = tmp_path / "mirror/namespaces/default" / entry_path(signed.commit + 1)
    taken.write_bytes(b"no entry")
    assert signed.copy(tmp_path / "mirror").commits == 0
    signed.create_model("d")
    with pytest.raises(ConflictError, match=f"differ from commit {signed.commit} on") as raised:
        signed.copy(tmp_path / "mirror")
    assert raised.value.code == "diverged"
    assert taken.read_bytes() == b"no entry"


def test_a_suite_is_copied_into_a_signed_namespace_with_the_key_of_who_copies(
    signed: Registry, elsewhere: Registry
) -> None:
    from tests.crash.scenarios import upload_and_run

    for step in upload_and_run():
        step(elsewhere)
    (suite,) = {row["name"] for row in elsewhere.sql("SELECT name FROM test_suites").dicts()}
    elsewhere.copy_suite(suite, signed.uri)
    assert signed.sql("SELECT name FROM test_suites").dicts() == [{"name": suite}]
    assert signed.verify().ok


@pytest.mark.parametrize("between", [None, b"no entry"])
def test_an_import_that_was_interrupted_is_finished_also_past_a_void_entry(
    signed: Registry, elsewhere: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, between: bytes | None
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    begun = signed.commit
    with monkeypatch.context() as patch:
        patch.setattr("localreg.copies.adopting._import", killed)
        with pytest.raises(KeyboardInterrupt):
            signed.copy(elsewhere, name="copied")
    if between is not None:
        (tmp_path / "elsewhere/namespaces/copied" / entry_path(begun + 2)).write_bytes(between)
    signed.create_model("later")  # what goes on meanwhile is no part of what was begun
    again = signed.copy(elsewhere.uri, name="copied")
    assert (again.commit, again.imported) == (begun, begun + 2 + (between is not None))
    copied = localreg.open(elsewhere.uri, namespace="copied")
    assert names(copied) == ["a", "b", "c", "m"]
    assert copied.verify().ok


def test_a_void_entry_that_would_list_the_first_signers_goes_along(tmp_path: Path) -> None:
    """Nobody has to sign there; a copy took that entry for one that had counted before."""
    other = signed_registry(tmp_path)
    plain = localreg.open(tmp_path / "plain", actor="ana")
    plain.create_model("m")
    log = LogFolder(plain)
    (feature,) = other._session.state().children("feature")
    (signer,) = other._session.state().children("signer")
    changes = [Change(row.kind, "create", row.id, row.name, after={**row.fields}) for row in (feature, signer)]
    log.write(log.last + 1, log.forged(None, after=log.last, number=log.last + 1, changes=changes))
    plain = localreg.open(tmp_path / "plain", actor="ana")
    plain.create_model("after")
    assert [each.commit for each in plain.void_entries()] == [2]
    plain.copy(str(tmp_path / "mirror"))
    assert localreg.open(tmp_path / "mirror").verify().ok
    assert plain.verify(since=2).ok
