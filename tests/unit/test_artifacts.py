"""Artifacts: the bytes that were stored come back, and nothing is written where it should not."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import localreg
from localreg import (
    AlreadyExistsError,
    IntegrityError,
    InvalidInputError,
    Model,
    NotFoundError,
    ReadOnlyError,
    Registry,
)
from localreg.artifacts import content, manifest
from localreg.artifacts.manifest import Entry
from localreg.canonical import sha256_hex
from localreg.testing.stores import FaultyStore
from tests.crash.pipes import read_line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "registry"


@pytest.fixture
def disk(folder: Path) -> Registry:
    return localreg.open(folder)


@pytest.fixture
def model(disk: Registry) -> Model:
    return disk.create_model("m")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder with files, one of them twice."""
    place = tmp_path / "weights"
    (place / "deep" / "er").mkdir(parents=True)
    (place / "a.bin").write_bytes(bytes(range(256)) * 10_000)
    (place / "deep" / "b ü.txt").write_text("two")
    (place / "deep" / "er" / "c.txt").write_text("two")
    (place / "empty").touch()
    return place


def stored(folder: Path) -> list[Path]:
    return sorted((folder / "namespaces" / "default" / "artifacts").rglob("*-*"))


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- storing ----------------------------------------------------------------------------------------------------------


def test_a_folder_comes_back_and_equal_content_is_stored_once(
    model: Model, disk: Registry, folder: Path, weights: Path, tmp_path: Path
) -> None:
    version = model.create_version("1")
    artifact = version.upload(weights, metadata={"epoch": 3})
    assert [row["path"] for row in artifact.files()] == ["a.bin", "deep/b ü.txt", "deep/er/c.txt", "empty"]
    assert (artifact.name, artifact.bytes, artifact.info.files, artifact.info.folder) == ("weights", 2_560_006, 4, True)
    assert len(stored(folder)) == 4, "three contents and the manifest"
    again = model.upload(str(weights), name="the same")
    assert (again.sha256, len(stored(folder))) == (artifact.sha256, 4)
    assert artifact.download(tmp_path / "new" / "out") == tmp_path / "new" / "out"
    assert tree(tmp_path / "new" / "out") == tree(weights)
    assert disk.verify().ok
    listed = disk.artifacts(order_by="name").dicts()
    assert [(row["name"], row["owner_kind"], row["owner"], row["bytes"]) for row in listed] == [
        ("the same", "model", "m", 2_560_006),
        ("weights", "model_version", "m@1", 2_560_006),
    ]
    assert [row["name"] for row in version.artifacts()] == ["weights"]
    assert [row["action"] for row in disk.audit(kind="artifact")] == ["upload", "upload", "download"]


@pytest.mark.parametrize("given", [b"bytes", bytearray(b"bytes"), io.BytesIO(b"bytes")])
def test_bytes_and_file_objects_are_stored(model: Model, tmp_path: Path, given: Any) -> None:
    artifact = model.upload(given, name="notes.txt")
    assert (artifact.media_type, artifact.sha256) == ("text/plain", sha256_hex(b"bytes"))
    assert artifact.download(tmp_path / "out") == tmp_path / "out" / "notes.txt"
    assert (tmp_path / "out" / "notes.txt").read_bytes() == b"bytes"
    with pytest.raises(InvalidInputError, match=r"have no name of their own"):
        model.upload(given)


def test_experiments_and_models_keep_names_of_their_own(disk: Registry, model: Model) -> None:
    with disk.experiment("e") as experiment:
        experiment.upload(b"1", name="x")
    model.upload(b"2", name="x")
    with pytest.raises(
        AlreadyExistsError, match="<Model 'm'> has an artifact 'x' already; choose another name, or pass"
    ):
        model.upload(b"3", name="x")
    replaced = model.upload(b"3", name="x", replace=True)
    assert (replaced, replaced.sha256) == (model.get_artifact("x"), sha256_hex(b"3"))
    past = disk.at(commit=disk.commit - 1).get_model("m").get_artifact("x")
    assert past.sha256 == sha256_hex(b"2")
    with pytest.raises(NotFoundError, match="<Model 'm'> has no artifact 'xx'; did you mean 'x'"):
        model.get_artifact("xx")
    replaced.update(metadata={"a": 1}).rename("y")
    assert (model.get_artifact("y").metadata, experiment.get_artifact("x").sha256) == ({"a": 1}, sha256_hex(b"1"))
    model.delete()
    assert [row["owner"] for row in disk.artifacts()] == ["e"]


def test_what_is_no_content_is_refused(model: Model, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"there is no .*gone.* to store; correct the path, or use track"):
        model.upload(tmp_path / "gone")
    with pytest.raises(InvalidInputError, match="5 cannot be stored; give a path, bytes or a binary file object"):
        model.upload(5, name="x")
    with pytest.raises(InvalidInputError, match="open it in binary mode"):
        model.upload(io.StringIO("text"), name="x")
    with pytest.raises(ReadOnlyError):
        localreg.open(tmp_path / "registry", read_only=True).get_model("m").upload(b"", name="x")


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_links_to_folders_are_refused_and_links_to_files_are_files(model: Model, weights: Path, tmp_path: Path) -> None:
    (weights / "link.txt").symlink_to(weights / "deep" / "b ü.txt")
    assert model.upload(weights, name="files").info.files == 5
    (weights / "loop").symlink_to(weights)
    with pytest.raises(InvalidInputError, match="loop is a link to a folder, which is not followed"):
        model.upload(weights, name="loop")


def test_a_file_that_changes_meanwhile_is_refused(
    model: Model, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"one")
    copy = content._copied

    def late(*arguments: Any) -> Any:
        found = copy(*arguments)
        path.write_bytes(b"onetwo")
        return found

    monkeypatch.setattr(content, "_copied", late)
    with pytest.raises(InvalidInputError, match="growing changed while it was stored"):
        model.upload(path)
    assert stored(folder) == []


STORES = """
import sys, localreg
from localreg.artifacts import upload
named = upload._named
def wait(*arguments, **named):
    print("there", flush=True)
    sys.stdin.read()
upload._named = wait
localreg.open({folder!r}).get_model("m").upload({path!r})
"""


def test_what_a_killed_upload_stored_is_taken_over(model: Model, folder: Path, weights: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    code = STORES.format(folder=str(folder), path=str(weights))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
    ) as process:
        assert read_line(process.stdout).strip() == "there"
        process.send_signal(signal.SIGKILL)
    left = stored(folder)
    assert len(left) == 4
    torn = next(path for path in left if path.stat().st_size == 2_560_000)
    torn.write_bytes(bytes(2_560_000))  # as long as it should be, and something else
    artifact = model.upload(weights)
    assert len(stored(folder)) == 5, "only what was torn is stored again"
    assert artifact._session.verify().ok


def test_a_store_that_fails_leaves_nothing_named(tmp_path: Path, weights: Path) -> None:
    registry = localreg.open(tmp_path / "r")
    model = registry.create_model("m")
    store = model._session.store
    for fail_at in range(1, 9):
        model._session.store = FaultyStore(store, fail_at=fail_at, when="before")
        try:
            with pytest.raises(localreg.LocalregError):
                model.upload(weights)
        finally:
            model._session.store = store
        assert len(registry.artifacts()) == 0
    model.upload(weights)
    assert registry.verify().ok


# --- taking out -------------------------------------------------------------------------------------------------------


def test_altered_bytes_are_not_given_out(model: Model, folder: Path, weights: Path, tmp_path: Path) -> None:
    artifact = model.upload(weights)
    victim = next(path for path in stored(folder) if path.stat().st_size == 2_560_000)
    data = bytearray(victim.read_bytes())
    data[1_000_000] ^= 1
    victim.chmod(0o644)
    victim.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"'a.bin' of <Artifact 'weights'> has been altered") as caught:
        artifact.download(tmp_path / "out")
    assert caught.value.code == "file_altered"
    assert not (tmp_path / "out" / "a.bin").exists()
    victim.unlink()
    with pytest.raises(IntegrityError, match="a file of <Artifact 'weights'> is missing"):
        artifact.download(tmp_path / "out")


def test_a_download_goes_on_and_replaces_nothing_unasked(model: Model, weights: Path, tmp_path: Path) -> None:
    artifact, out = model.upload(weights), tmp_path / "out"
    artifact.download(out)
    before = (out / "a.bin").stat().st_mtime_ns
    (out / "empty").unlink()
    artifact.download(out)
    assert (tree(out), (out / "a.bin").stat().st_mtime_ns) == (tree(weights), before)
    (out / "a.bin").write_bytes(b"mine")
    with pytest.raises(AlreadyExistsError, match=r"a.bin is there, and holds something else; pass overwrite=True"):
        artifact.download(out)
    assert (out / "a.bin").read_bytes() == b"mine"
    artifact.download(out, overwrite=True)
    assert tree(out) == tree(weights)


@pytest.mark.parametrize("path", ["../evil", "a/../../evil", "/etc/evil", "", "a//b", ".", "a/./b", "x\0y"])
def test_nothing_is_written_outside_the_folder(
    model: Model, tmp_path: Path, weights: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forged(entries: list[Entry]) -> bytes:
        return honest([each._replace(path=path) for each in entries[:1]])

    honest = manifest.manifest_bytes
    monkeypatch.setattr("localreg.artifacts.upload.manifest_bytes", forged)
    artifact = model.upload(weights)
    with pytest.raises(IntegrityError, match=r"leads out of the folder, or is no path") as caught:
        artifact.download(tmp_path / "out" / "deep")
    assert caught.value.code == "bad_path"
    assert list(tmp_path.rglob("*evil*")) == []


def test_a_name_that_leads_elsewhere_is_no_place(model: Model, tmp_path: Path) -> None:
    artifact = model.upload(b"x", name="../evil")
    with pytest.raises(IntegrityError, match=r"'\.\./evil' leads out of the folder"):
        artifact.download(tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_links_in_the_target_lead_nowhere(model: Model, weights: Path, tmp_path: Path) -> None:
    artifact, out = model.upload(weights), tmp_path / "out"
    (tmp_path / "elsewhere").mkdir()
    out.mkdir()
    (out / "deep").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match=r"leads out of .*, by a link"):
        artifact.download(out, overwrite=True)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_who_cannot_write_downloads_with_a_warning(model: Model, disk: Registry, folder: Path, tmp_path: Path) -> None:
    model.upload(b"x", name="x")
    reader = localreg.open(folder, read_only=True)
    with pytest.warns(UserWarning, match="that <Artifact 'x'> was downloaded is not in the audit log"):
        reader.get_model("m").get_artifact("x").download(tmp_path / "out")
    assert [row["action"] for row in disk.audit(kind="artifact")] == ["upload"]


# --- tracking ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def never_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(fsspec, "open", refuse)
    monkeypatch.setattr(fsspec.core, "url_to_fs", refuse)


@pytest.mark.usefixtures("never_opened")
def test_what_is_tracked_is_left_where_it_is(model: Model) -> None:
    artifact = model.track("s3://bucket/later/weights.pt", metadata={"who": "ana"})
    assert (artifact.name, artifact.uri, artifact.sha256) == ("weights.pt", "s3://bucket/later/weights.pt", None)
    with pytest.raises(InvalidInputError, match=r"is only tracked, at 's3://bucket/later/weights.pt'"):
        artifact.files().arrow()


def test_what_was_looked_at_is_checked_when_it_comes(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    path.write_bytes(b"one")
    artifact = model.track(path, stat=True)
    assert (artifact.sha256, artifact.bytes, artifact.uri) == (sha256_hex(b"one"), 3, str(path))
    assert artifact.download(tmp_path / "out").read_bytes() == b"one"
    path.write_bytes(b"two")
    with pytest.raises(IntegrityError, match="has been altered"):
        artifact.download(tmp_path / "other")
    path.unlink()
    with pytest.raises(NotFoundError, match=r"there is nothing at .*w.bin"):
        artifact.download(tmp_path / "other")
    with pytest.raises(NotFoundError, match="there is nothing at"):
        model.track(tmp_path / "gone", stat=True)
    with pytest.raises(InvalidInputError, match="cannot be opened"):
        model.track("nowhere://x/y", stat=True)
    assert [row["action"] for row in model._session.engine().select("audit_events", where="kind = 'artifact'")] == [
        "track",
        "download",
    ]


# --- piece by piece ---------------------------------------------------------------------------------------------------


def test_a_stream_gives_the_bytes_in_pieces_and_is_told(disk: Registry, model: Model, weights: Path) -> None:
    data = bytes(range(256)) * 12_000
    artifact = model.upload(data, name="w.bin")
    pieces = list(artifact.stream())
    assert [len(each) for each in pieces] == [2**20, 2**20, len(data) - 2 * 2**20]
    assert b"".join(pieces) == data
    assert [each["action"] for each in disk.audit(name="w.bin")] == ["upload", "download"]
    within = model.upload(weights)
    assert b"".join(within.stream("deep/b ü.txt")) == b"two"
    assert b"".join(within.stream("empty")) == b""


def test_a_stream_of_what_is_no_file_is_refused_at_once(model: Model, weights: Path) -> None:
    folder = model.upload(weights)
    with pytest.raises(InvalidInputError, match="is a folder; say which of its files"):
        folder.stream()
    with pytest.raises(NotFoundError, match=r"no file 'deep/b\.txt'; did you mean 'deep/b ü\.txt'"):
        folder.stream("deep/b.txt")
    with pytest.raises(InvalidInputError, match="only tracked"):
        model.track("s3://bucket/x").stream()


def test_a_stream_never_gives_all_of_what_was_altered(folder: Path, model: Model) -> None:
    data = bytes(range(256)) * 12_000
    artifact = model.upload(data, name="w.bin")
    (place,) = stored(folder)
    place.chmod(0o644)
    place.write_bytes(data[:-1] + b"?")
    pieces: list[bytes] = []
    with pytest.raises(IntegrityError, match="has been altered"):
        pieces.extend(artifact.stream())
    assert sum(map(len, pieces)) == 2 * 2**20
