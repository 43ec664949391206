from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from localreg.errors import InvalidInputError
from localreg.storage.cache import FileCache, cache_folder, cache_limit, is_immutable

PATH = "namespaces/default/log/00000000000000000001.parquet"


@pytest.fixture
def cache(tmp_path: Path) -> FileCache:
    return FileCache(tmp_path / "cache", "s3://bucket")


def again(cache: FileCache, place: str = "s3://bucket", limit: int = 10**9) -> FileCache:
    """As another process sees it."""
    return FileCache(cache._top, place, limit=limit)


@pytest.mark.parametrize(
    "path",
    [
        PATH,
        "log/1.parquet",
        "namespaces/a.b/data/inferences/m/p.parquet",
        "data/t/o/p",
        "namespaces/x/artifacts/ab/abcdef",
        "snapshots/00000000000000000064.parquet",
        "history/1.parquet",
    ],
)
def test_what_never_changes_may_be_kept(path: str) -> None:
    assert is_immutable(path)


@pytest.mark.parametrize(
    "path",
    ["localreg.json", "snapshots/latest.json", "namespaces/x/snapshots/latest.json", "tmp/a.parquet", "log", "x"],
)
def test_what_may_change_is_not_kept(path: str) -> None:
    assert not is_immutable(path)


def test_what_is_kept_is_given_back_to_any_process(cache: FileCache) -> None:
    assert cache.read(PATH) is None
    assert cache.file(PATH) is None
    cache.keep(PATH, b"content")
    for each in (cache, again(cache)):
        assert each.read(PATH) == b"content"
        file = each.file(PATH)
        assert file is not None
        assert file.suffix == ".parquet"
        assert file.read_bytes() == b"content"


def test_places_share_nothing(cache: FileCache) -> None:
    cache.keep(PATH, b"content")
    cache.set_note("head", b"1")
    other = again(cache, "s3://other")
    assert other.read(PATH) is None
    assert other.note("head") is None
    assert list(other.names("")) == []


@pytest.mark.parametrize("altered", [b"", b"conten", b"kontent", b"content and more"], ids=repr)
def test_a_torn_or_altered_copy_is_no_copy(cache: FileCache, altered: bytes) -> None:
    for look in ("read", "file"):
        cache.keep(PATH, b"content")
        (copy,) = cache._top.glob(f"*/files/{PATH}")
        copy.write_bytes(altered)
        assert getattr(again(cache), look)(PATH) is None
        assert getattr(cache, look)(PATH) is None
        assert not copy.exists()


def test_an_alteration_after_the_first_look_is_noticed(cache: FileCache) -> None:
    cache.keep(PATH, b"content")
    file = cache.file(PATH)
    assert file is not None
    file.write_bytes(b"altered")
    os.utime(file, ns=(1, 1))
    assert cache.file(PATH) is None


def test_a_copy_without_its_check_or_under_another_name_is_no_copy(cache: FileCache) -> None:
    cache.keep("data/a", b"content")
    cache.keep("data/b", b"content")
    (check,) = cache._top.glob("*/checks/data/a")
    check.write_bytes(next(iter(cache._top.glob("*/checks/data/b"))).read_bytes())
    assert cache.read("data/a") is None
    check.unlink(missing_ok=True)
    assert cache.read("data/a") is None


def test_a_torn_note_is_no_note(cache: FileCache) -> None:
    cache.set_note("a/head", b"12")
    assert again(cache).note("a/head") == b"12"
    (file,) = cache._top.glob("*/notes/a/head")
    file.write_bytes(file.read_bytes()[:-1])
    assert cache.note("a/head") is None


def test_forgotten_is_gone(cache: FileCache) -> None:
    cache.keep(PATH, b"content")
    cache.forget(PATH)
    cache.forget(PATH)
    assert cache.read(PATH) is None
    assert list(cache.names("")) == []


def test_the_least_recently_used_goes_first_and_the_bound_holds(tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "cache", "place", limit=400_000)
    for number in range(4):
        cache.keep(f"data/{number}", bytes(60_000))
        set_used(cache, f"data/{number}", number)
    set_used(cache, "data/0", 10)
    for number in range(4, 20):
        cache.keep(f"data/{number}", bytes(60_000))
        set_used(cache, f"data/{number}", number + 10)
        assert sum(file.stat().st_size for file in (tmp_path / "cache").glob("*/files/data/*")) <= 400_000
        if number == 6:
            assert {"data/1"}.isdisjoint(cache.names(""))
            assert "data/0" in set(cache.names(""))
    assert "data/19" in set(cache.names(""))


def test_the_bound_is_that_of_all_processes_together(cache: FileCache) -> None:
    for number in range(20):
        again(cache, f"place {number}", limit=400_000).keep("data/a", bytes(60_000))
    assert sum(file.stat().st_size for file in cache._top.glob("*/files/data/*")) <= 400_000


def test_what_is_needed_now_is_not_dropped_for_room(tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "cache", "place", limit=1)
    cache.keep("data/a", b"x")
    incoming = cache.incoming()
    incoming.write_bytes(b"y")
    cache.adopt("data/b", incoming, needed={"data/a"})
    assert sorted(cache.names("")) == ["data/a", "data/b"]
    cache.keep("data/c", b"z")
    assert sorted(cache.names("")) == ["data/c"]


def test_what_a_killed_process_left_on_its_way_is_swept_when_it_is_old(tmp_path: Path) -> None:
    cache = FileCache(tmp_path / "cache", "place", limit=1)
    old, new = cache.incoming(), cache.incoming()
    old.write_bytes(b"half")
    new.write_bytes(b"half")
    os.utime(old, (0, 0))
    cache.keep("data/a", b"x")
    assert not old.exists()
    assert new.exists()


def test_racing_writers_leave_a_whole_copy_of_one_of_them(cache: FileCache) -> None:
    contents = [bytes([letter]) * 50_000 for letter in b"abcdefgh"]
    start = threading.Barrier(len(contents))

    def write(content: bytes) -> None:
        start.wait(30)
        for _ in range(20):
            again(cache).keep(PATH, content)
            assert again(cache).read(PATH) in (*contents, None)

    with ThreadPoolExecutor(len(contents)) as pool:
        list(pool.map(write, contents))
    cache.keep(PATH, contents[0])
    assert cache.read(PATH) == contents[0]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_copies_are_for_this_user_alone(cache: FileCache) -> None:
    cache.keep(PATH, b"content")
    cache.set_note("head", b"x")
    assert cache._top.stat().st_mode & 0o077 == 0
    kept = [file for file in cache._top.rglob("*") if file.is_file() and file.name != "count"]
    assert len(kept) == 3
    assert {file.stat().st_mode & 0o077 for file in kept} == {0}


def test_the_folder_is_named_or_the_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOCALREG_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("LOCALREG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "appdata"))
    for platform, ending in {"linux": "xdg/localreg", "darwin": "Library/Caches/localreg", "win32": "Cache"}.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert cache_folder().as_posix().endswith(ending)


def test_the_limit_is_a_number_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALREG_CACHE_BYTES", "5000")
    assert cache_limit() == 5000
    monkeypatch.setenv("LOCALREG_CACHE_BYTES", "")
    assert cache_limit() == 10_000_000_000
    for wrong in ("10 GB", "-1", "1e9", "²"):
        monkeypatch.setenv("LOCALREG_CACHE_BYTES", wrong)
        with pytest.raises(InvalidInputError, match="write a number of bytes"):
            cache_limit()


def set_used(cache: FileCache, path: str, when: int) -> None:
    os.utime(cache._check_file(path), (when, when))


def test_names_look_into_the_folder_that_is_asked_for_alone(cache: FileCache, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("a/log/1", "a/log/deep/2", "a/logs/3", "a/data/x/4", "b/log/5"):
        cache.keep(path, b"content")
    looked: list[str] = []
    scandir = os.scandir

    def telling(where: str) -> object:
        looked.append(where)
        return scandir(where)

    monkeypatch.setattr(os, "scandir", telling)
    assert sorted(cache.names("a/log/")) == ["a/log/1", "a/log/deep/2"]
    assert len(looked) == 2
    assert sorted(cache.names("a/lo")) == ["a/log/1", "a/log/deep/2", "a/logs/3"]
    assert len(list(cache.names(""))) == 5
    assert list(cache.names("nothing/here/")) == []
