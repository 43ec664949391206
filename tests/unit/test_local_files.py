"""The local files behind locators: what is kept of them beside inferences, and that a changed one is told."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from localreg import InvalidInputError, Registry
from localreg.cli import run as run_command
from localreg.workflow import (
    Composite,
    GroundTruth,
    Image,
    Inference,
    ScoredLabel,
    TestRun,
    TestSample,
    Video,
    define_workflow,
    local_files,
    test,
)
from localreg.workflow.asset import ImageAsset, PlainTextAsset
from localreg.workflow.local_files import LocalFiles
from localreg.workflow.typed import schema_of


@dataclass(frozen=True)
class Photo(TestSample):
    locator: str


@dataclass(frozen=True)
class Animal(GroundTruth):
    label: str


@dataclass(frozen=True)
class Guess(Inference):
    animal: ScoredLabel


_, Case, Suite, Net = define_workflow("Animals", Photo, Animal, Guess)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with three photos."""
    made = tmp_path / "work"
    (made / "photos").mkdir(parents=True)
    for number in range(3):
        (made / "photos" / f"{number}.png").write_bytes(b"photo %d" % number)
    monkeypatch.chdir(made)
    local_files._sha256.cache_clear()
    return made


def guess(photo: Photo) -> Guess:
    return Guess(ScoredLabel("cat", 0.5))


def suite_of(*locators: str) -> Any:
    return Suite("s", test_cases=[Case("c", test_samples=[(Photo(each), Animal("cat")) for each in locators])])


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def kept(registry: Registry) -> dict[str, Any]:
    rows = registry.sql(
        'SELECT locator, files FROM "Animals".inferences JOIN "Animals".test_samples USING (sample_idx)'
    )
    return {row["locator"]: row["files"] for row in rows.dicts()}


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_the_digest_of_a_local_file_stands_beside_the_inference(registry: Registry, folder: Path) -> None:
    absolute, url = folder / "photos" / "1.png", (folder / "photos" / "2 ü.png").as_uri()
    (folder / "photos" / "2 ü.png").write_bytes(b"two")
    remote = ["s3://bucket/0.png", "https://example.org/0.png", f"file://elsewhere{absolute}"]
    nothing = ["photos/9.png", "nowhere/0.png", "photos", os.devnull, "", "a\0b", "x" * 5_000]
    test(Net("m", guess), suite_of("photos/0.png", str(absolute), url, *remote, *nothing))
    found = kept(registry)
    assert {locator for locator, files in found.items() if files is None} == {*remote, *nothing}
    for locator, data in {"photos/0.png": b"photo 0", str(absolute): b"photo 1", url: b"two"}.items():
        ((name, file),) = dict(found[locator]).items()
        assert (name, file["sha256"], file["bytes"]) == (locator, sha256(data), len(data))
    assert dict(found[str(absolute)])[str(absolute)]["modified_ns"] == absolute.stat().st_mtime_ns
    (row,) = registry.sql("SELECT count(*) AS n FROM inferences WHERE map_values(files)[1].sha256 IS NOT NULL").dicts()
    assert row["n"] == 3


def test_where_no_locator_is_a_local_file_there_is_no_column(registry: Registry) -> None:
    test(Net("m", guess), suite_of("a.png", "s3://bucket/b.png"))
    (pointer,) = [row.fields for row in registry._session.state().rows("file") if row.fields["table"] == "inferences"]
    assert cast(Any, pointer["details"])["columns"] == []
    assert kept(registry) == {"a.png": None, "s3://bucket/b.png": None}


def test_it_can_be_turned_off(registry: Registry) -> None:
    test(Net("m", guess), suite_of("photos/0.png"), hash_files=False)
    assert kept(registry) == {"photos/0.png": None}
    with pytest.raises(InvalidInputError, match="hash_files"):
        test(Net("m", guess), suite_of("photos/0.png"), hash_files=cast(Any, "no"))


@pytest.mark.parametrize("way", ["batches", "threads", "transaction", "errors"])
def test_whatever_the_way_of_a_run_it_is_kept(registry: Registry, way: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def infer(given: Any) -> Any:
        if way == "errors" and given.locator == "photos/1.png":
            raise RuntimeError("no")
        return [guess(photo) for photo in given] if way == "batches" else guess(given)

    suite = suite_of("photos/0.png", "a.png", "photos/1.png")
    model = Net("m", infer)
    if way == "transaction":
        with registry.transaction():
            test(model, suite)
    elif way == "threads":
        with ThreadPoolExecutor(2) as pool:
            test(model, suite, executor=pool)
    else:
        test(model, suite, batch_size=2 if way == "batches" else None, on_error="record")
    found = kept(registry)
    assert found["a.png"] is None
    assert dict(found["photos/0.png"])["photos/0.png"]["sha256"] == sha256(b"photo 0")


def test_a_file_is_read_once_and_looked_at_once_for_all_its_samples(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Any] = []
    stat, access = os.stat, os.access

    def counting(path: Any, **options: Any) -> os.stat_result:
        looked.append(path)
        return stat(path, **options)

    def asking(path: Any, mode: int) -> bool:
        looked.append((path, mode))
        return access(path, mode)

    files = LocalFiles(schema_of(Photo))
    photos = [Photo("photos/0.png"), Photo("photos/0.png"), Photo("gone/1.png"), Photo("gone/2.png")]
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", counting)
        patched.setattr(os, "access", asking)
        for _ in range(2):
            assert files.column(photos) is not None
    once = ["photos", ("photos/0.png", os.F_OK), "photos/0.png", "gone"]
    assert sorted(map(str, looked)) == sorted(map(str, once * 2)), "in a folder that is not there is no file"
    assert local_files._sha256.cache_info().misses == 1
    Path("photos/0.png").write_bytes(b"another")
    column = files.column([Photo("photos/0.png")])
    assert column is not None
    assert column.to_pylist()[0][0][1]["sha256"] == sha256(b"another")


# --- where locators stand ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scene(Composite):
    image: Image
    clip: Video | None = None
    pages: list[Image] = field(default_factory=list)
    named: dict[str, ImageAsset] = field(default_factory=dict)
    either: ImageAsset | PlainTextAsset | None = None
    pair: tuple[int, Image] | None = None
    caption: str = "photos/0.png"


@pytest.mark.parametrize(
    ("scene", "found"),
    [
        (Scene(Image("photos/0.png")), "0"),
        (Scene(Image("photos/0.png"), clip=Video("photos/1.png", thumbnail=ImageAsset("photos/2.png"))), "012"),
        (Scene(Image("photos/0.png"), pages=[Image("photos/1.png"), Image("photos/1.png"), Image("gone")]), "01"),
        (Scene(Image("gone"), named={"x": ImageAsset("photos/1.png")}), "1"),
        (Scene(Image("gone"), either=PlainTextAsset("photos/2.png")), "2"),
        (Scene(Image("gone"), either=ImageAsset("photos/2.png")), "2"),
        (Scene(Image("gone"), pair=(3, Image("photos/1.png"))), "1"),
    ],
)
def test_locators_are_found_wherever_they_stand_and_no_other_text_is_one(scene: Scene, found: str) -> None:
    column = LocalFiles(schema_of(Scene)).column([scene, Scene(Image("gone"))])
    assert column is not None
    mine, none = column.to_pylist()
    assert none is None
    assert [locator for locator, _ in mine] == [f"photos/{number}.png" for number in found]


def test_of_samples_without_locators_nothing_is_looked_at() -> None:
    @dataclass(frozen=True)
    class Number(TestSample):
        value: int
        locators: str = "photos/0.png"

    assert LocalFiles(schema_of(Number)).column([Number(1)]) is None


# --- what changed -----------------------------------------------------------------------------------------------------


def changed(run: Any) -> list[tuple[str, str, str]]:
    return [(each.sample.locator, each.was, each.now) for each in run.changed_files()]


def test_a_changed_file_is_told_and_its_inference_used_again_until_a_reset(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "localreg")
    asked: list[str] = []

    def infer(photo: Photo) -> Guess:
        asked.append(photo.locator)
        return guess(photo)

    suite, model = suite_of("photos/0.png", "photos/1.png", "a.png"), Net("m", infer)
    run = test(model, suite)
    assert changed(run) == []
    Path("photos/1.png").write_bytes(b"retouched")
    assert changed(run) == [("photos/1.png", sha256(b"photo 1"), sha256(b"retouched"))]
    asked.clear()
    caplog.clear()
    test(model, suite)
    (told,) = caplog.messages
    assert "files of 1 sample changed" in told
    assert "'photos/1.png'" in told
    assert "reset=True" in told
    assert asked == []
    run = test(model, suite, reset=True)
    assert (len(asked), changed(run)) == (3, [])
    caplog.clear()
    test(model, suite)
    assert caplog.messages == []


def test_another_time_is_no_other_file_nor_is_one_that_is_gone(registry: Registry) -> None:
    run = test(Net("m", guess), suite_of("photos/0.png", "photos/1.png"))
    os.utime("photos/0.png", ns=(1, 1))
    Path("photos/1.png").unlink()
    assert changed(run) == []


def test_the_same_length_is_no_proof(registry: Registry) -> None:
    run = test(Net("m", guess), suite_of("photos/0.png"))
    Path("photos/0.png").write_bytes(b"PHOTO 0")
    os.utime("photos/0.png", ns=(1, 1))
    assert [now for _, _, now in changed(run)] == [sha256(b"PHOTO 0")]


def test_what_failed_or_was_never_asked_has_not_changed(registry: Registry) -> None:
    def infer(photo: Photo) -> Guess:
        raise RuntimeError("no")

    suite, model = suite_of("photos/0.png"), Net("m", infer)
    assert TestRun(model, suite).changed_files() == []
    run = test(model, suite, on_error="record")
    Path("photos/0.png").write_bytes(b"retouched")
    assert changed(run) == []


def test_a_new_version_knows_nothing_of_the_files_of_another(registry: Registry) -> None:
    suite, model = suite_of("photos/0.png"), Net("m", guess)
    test(model, suite)
    Path("photos/0.png").write_bytes(b"retouched")
    model.create_version("2")
    run = test(model, suite)
    assert changed(run) == []
    assert len(changed(test(Net("m@1", guess), suite))) == 1


def test_without_the_types_it_is_told_as_well(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    test(Net("m", guess), suite_of("photos/0.png"))
    Path("photos/0.png").write_bytes(b"retouched")
    (row,) = registry.test_runs().dicts()
    (found,) = registry.get_test_run(row["id"]).changed_files()
    assert found.sample == {"locator": "photos/0.png"}
    assert (found.locator, found.now) == ("photos/0.png", sha256(b"retouched"))
    assert run_command(["--registry", registry.uri, "runs", "changed", "m", "s"]) == 0
    (told,) = [line for line in capsys.readouterr().out.splitlines() if "photos/0.png" in line]
    assert sha256(b"retouched")[:8] in told


def test_a_comparison_warns_where_two_models_saw_other_bytes(registry: Registry) -> None:
    suite = suite_of("photos/0.png", "photos/1.png", "photos/2.png", "a.png")
    test(Net("a", guess), suite)
    same = test(Net("b", guess), suite)
    assert same.changed_files() == []
    assert registry.compare("a", "b", suite="s").changed_files == 0
    Path("photos/1.png").write_bytes(b"retouched")
    Path("photos/2.png").write_bytes(b"retouched")
    test(Net("c", guess), suite)
    comparison = registry.compare("a", "c", suite="s")
    assert comparison.changed_files == 2
    assert "warning: the local files of 2 samples changed between a@1 and c@1" in str(comparison)
    test(Net("d", guess), suite, hash_files=False)
    assert registry.compare("a", "d", suite="s").changed_files == 0, "what was not kept cannot be compared"
