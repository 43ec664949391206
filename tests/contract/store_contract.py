"""What every store promises, written once. A backend's test file subclasses `StoreContract` and gives the store."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from localreg.errors import AlreadyExistsError, InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localreg.storage import Store

THREADS = 8
ROUNDS = 40
PATIENCE_S = 30
LARGE = 300_000

BAD_PATHS = [
    "",
    "/etc/passwd",
    "..",
    "../outside",
    "a/../../outside",
    "a/..",
    "./a",
    "a/.",
    "a//b",
    "a/",
    "a\\b",
    "a\0b",
    "a\nb",
    "\ud800",
    ".a.0123456789abcdef.tmp",
    "log/.a.0123456789abcdef.tmp",
]


class StoreContract:
    """Override `store` with a fixture that gives an empty store.

    Attributes:
        rounds: of each race; fewer where each call crosses a network.
    """

    rounds = ROUNDS

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    # Reading and replacing

    def test_a_missing_file_is_none_everywhere(self, store: Store) -> None:
        assert store.get("log/1.parquet") is None
        assert store.size("log/1.parquet") is None
        calls: list[Callable[[str], object]] = [store.local_file, store.sync]
        for call in calls:
            with pytest.raises(NotFoundError, match=r"log/1\.parquet"):
                call("log/1.parquet")

    def test_a_folder_is_not_a_file(self, store: Store) -> None:
        store.put("log/1.parquet", b"x")
        assert store.get("log") is None
        assert store.size("log") is None
        store.delete("log")
        assert store.get("log/1.parquet") == b"x"
        with pytest.raises(NotFoundError):
            store.local_file("log")

    def test_nothing_lies_below_a_file(self, store: Store) -> None:
        store.put("a", b"x")
        assert store.get("a/b") is None
        assert store.size("a/b") is None
        store.delete("a/b")
        assert list(store.list("a/b")) == []
        assert store.folders("a") == []

    @pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 4096], ids=["empty", "one byte", "1 MiB"])
    def test_what_was_put_is_got(self, store: Store, data: bytes) -> None:
        store.put("snapshots/latest.json", data)
        assert store.get("snapshots/latest.json") == data
        assert store.size("snapshots/latest.json") == len(data)

    def test_put_replaces_the_whole_content(self, store: Store) -> None:
        store.put("hint", b"a long first content")
        store.put("hint", b"short")
        assert store.get("hint") == b"short"

    def test_a_reader_sees_one_content_or_the_other_while_put_replaces(self, store: Store) -> None:
        contents = [bytes([letter]) * LARGE for letter in b"abcd"]
        store.put("hint", contents[0])

        def replace() -> None:
            for turn in range(self.rounds):
                store.put("hint", contents[turn % len(contents)])

        seen = watch(lambda: store.get("hint"), during=replace)
        assert seen <= set(contents)

    def test_names_are_kept_exactly(self, store: Store) -> None:
        paths = sorted(["Größe.json", "a b.json", "A.json", "模型/1.json", "..a", "a..b", ".hidden", "x.tmp"])
        for path in paths:
            store.put(path, path.encode())
        assert list(store.list("")) == paths
        assert [store.get(path) for path in paths] == [path.encode() for path in paths]

    # The commit point

    def test_put_if_absent_creates_once_and_leaves_the_first_content(self, store: Store) -> None:
        assert store.put_if_absent("log/1.parquet", b"first") is True
        assert store.put_if_absent("log/1.parquet", b"second") is False
        assert store.get("log/1.parquet") == b"first"

    def test_an_empty_file_counts_as_being_there(self, store: Store) -> None:
        assert store.put_if_absent("log/1.parquet", b"") is True
        assert store.put_if_absent("log/1.parquet", b"") is False
        assert store.get("log/1.parquet") == b""

    def test_put_if_absent_creates_again_after_a_deletion(self, store: Store) -> None:
        store.put_if_absent("log/1.parquet", b"first")
        store.delete("log/1.parquet")
        assert store.put_if_absent("log/1.parquet", b"second") is True

    def test_of_racing_threads_exactly_one_creates_and_its_content_stays(self, store: Store) -> None:
        barrier = threading.Barrier(THREADS)

        def race(thread: int) -> list[bool]:
            won = []
            for turn in range(self.rounds):
                barrier.wait(PATIENCE_S)
                won.append(store.put_if_absent(f"log/{turn}", f"{thread} in {turn}".encode()))
            return won

        with ThreadPoolExecutor(THREADS) as pool:
            won = list(pool.map(race, range(THREADS)))
        for turn in range(self.rounds):
            winners = [thread for thread in range(THREADS) if won[thread][turn]]
            assert len(winners) == 1
            assert store.get(f"log/{turn}") == f"{winners[0]} in {turn}".encode()
        assert len(list(store.list(""))) == self.rounds

    def test_a_reader_sees_the_whole_created_file_or_none(self, store: Store) -> None:
        content = b"x" * LARGE
        turn = 0

        def create() -> None:
            nonlocal turn
            for turn in range(self.rounds):
                store.put_if_absent(f"log/{turn}", content)

        assert watch(lambda: store.get(f"log/{turn}"), during=create) <= {None, content}

    def test_it_is_told_when_the_created_file_can_be_seen(self, store: Store) -> None:
        seen: list[bytes | None] = []
        assert store.put_if_absent("log/1", b"x", visible=lambda: seen.append(store.get("log/1"))) is True
        assert seen == [b"x"]
        assert store.put_if_absent("log/1", b"y", visible=lambda: seen.append(store.get("log/1"))) is False
        assert seen == [b"x"]

    def test_what_is_visible_can_be_synced_by_anybody(self, store: Store) -> None:
        store.put_if_absent("log/1.parquet", b"x")
        store.sync("log/1.parquet")
        assert store.get("log/1.parquet") == b"x"

    # Bulk files

    def test_a_writer_streams_a_file(self, store: Store) -> None:
        with store.writer("data/inferences/m1/7f.parquet") as file:
            for _ in range(1000):
                file.write(b"0123456789" * 100)
        assert store.size("data/inferences/m1/7f.parquet") == 1_000_000
        assert store.get("data/inferences/m1/7f.parquet") == b"0123456789" * 100_000

    def test_a_writer_without_writes_makes_an_empty_file(self, store: Store) -> None:
        with store.writer("data/empty"):
            pass
        assert store.get("data/empty") == b""

    def test_a_writer_can_tell_and_seek(self, store: Store) -> None:
        with store.writer("data/part") as file:
            file.write(b"hello")
            assert file.tell() == 5
            assert file.seekable()

    def test_a_block_may_close_its_file(self, store: Store) -> None:
        with store.writer("data/part") as file:
            file.write(b"content")
            file.close()
        assert store.get("data/part") == b"content"

    @pytest.mark.parametrize("failure", [ValueError("bad row"), OSError("of another file"), KeyboardInterrupt()])
    def test_a_writer_whose_block_raises_leaves_nothing_and_lets_the_error_through(
        self, store: Store, failure: BaseException
    ) -> None:
        with pytest.raises(type(failure)) as caught, store.writer("data/part") as file:  # noqa: PT012
            file.write(b"x" * LARGE)
            raise failure
        assert caught.value is failure
        assert store.get("data/part") is None
        assert list(store.list("")) == []

    def test_a_writer_refuses_a_name_in_use_and_leaves_its_file(self, store: Store) -> None:
        store.put("data/part", b"mine")
        with pytest.raises(AlreadyExistsError, match="data/part"), store.writer("data/part"):
            pytest.fail("entered")
        assert store.get("data/part") == b"mine"

    # Listing

    def test_list_gives_all_files_below_a_folder_in_the_order_of_their_paths(self, store: Store) -> None:
        paths = ["a-b/1", "a.txt", "a/1", "a/10", "a/9", "a/b-c", "a/b/c/d", "a0", "b/1"]
        for path in reversed(paths):
            store.put(path, b"")
        assert paths == sorted(paths)
        assert list(store.list("")) == paths
        assert list(store.list("a")) == ["a/1", "a/10", "a/9", "a/b-c", "a/b/c/d"]
        assert list(store.list("a/b")) == ["a/b/c/d"]

    def test_a_missing_folder_holds_nothing(self, store: Store) -> None:
        assert list(store.list("")) == []
        assert list(store.list("log")) == []
        assert store.folders("") == []
        assert store.folders("log") == []

    def test_a_prefix_is_a_folder_and_not_the_start_of_a_name(self, store: Store) -> None:
        store.put("log2/1", b"")
        assert list(store.list("log")) == []
        assert list(store.list("log2")) == ["log2/1"]
        assert list(store.list("log2/1")) == []

    def test_folders_are_named_in_order_without_files_and_depths(self, store: Store) -> None:
        for path in ["b/1", "a/x/1", "a-b/1", "c"]:
            store.put(path, b"")
        assert store.folders("") == ["a", "a-b", "b"]
        assert store.folders("a") == ["x"]
        assert store.folders("b") == []

    # Deleting

    def test_delete_removes_and_an_absent_file_is_fine(self, store: Store) -> None:
        store.put("data/part", b"x")
        store.put("data/other", b"y")
        store.delete("data/part")
        store.delete("data/part")
        store.delete("nowhere/part")
        assert store.get("data/part") is None
        assert list(store.list("")) == ["data/other"]

    # Native files

    def test_a_local_file_holds_the_same_bytes(self, store: Store) -> None:
        store.put_if_absent("data/part.parquet", b"content")
        path = store.local_file("data/part.parquet")
        assert path.is_absolute()
        assert path.read_bytes() == b"content"
        assert path.suffix == ".parquet"
        assert store.local_file("data/part.parquet") == path

    def test_the_local_file_of_a_new_content_holds_it(self, store: Store) -> None:
        store.put("data/part", b"first")
        store.local_file("data/part")
        store.put("data/part", b"second")
        assert store.local_file("data/part").read_bytes() == b"second"
        store.delete("data/part")
        with pytest.raises(NotFoundError):
            store.local_file("data/part")

    def test_local_files_are_in_the_order_asked_for(self, store: Store) -> None:
        paths = [f"data/{letter}.parquet" for letter in "cabdefgh"]
        for path in paths:
            store.put_if_absent(path, path.encode())
        found = store.local_files(paths)
        assert [file.read_bytes().decode() for file in found] == paths
        assert found == [store.local_file(path) for path in paths]
        assert store.local_files([]) == []
        with pytest.raises(NotFoundError, match="data/none"):
            store.local_files([*paths, "data/none"])

    # What a machine may keep

    def test_fresh_asks_the_place_itself(self, store: Store) -> None:
        store.put_if_absent("log/1.parquet", b"content")
        assert store.get("log/1.parquet", fresh=True) == b"content"
        assert store.local_file("log/1.parquet", fresh=True).read_bytes() == b"content"
        assert store.get("log/2.parquet", fresh=True) is None

    def test_a_forgotten_file_is_read_again(self, store: Store) -> None:
        store.put_if_absent("log/1.parquet", b"content")
        store.forget("log/1.parquet")
        store.forget("log/none.parquet")
        assert store.get("log/1.parquet") == b"content"

    def test_a_note_is_recalled_or_was_not_kept(self, store: Store) -> None:
        assert store.recall("head") is None
        store.remember("head", b"first")
        store.remember("head", b"second")
        assert store.recall("head") in (b"second", None)
        assert store.scope("namespaces/vision").recall("head") is None
        assert list(store.list("")) == []

    # Scopes

    def test_a_scope_is_the_same_store_seen_from_below(self, store: Store) -> None:
        scope = store.scope("namespaces/vision")
        scope.put("log/1", b"x")
        store.put("namespaces/vision/log/2", b"y")
        assert store.get("namespaces/vision/log/1") == b"x"
        assert list(scope.list("")) == ["log/1", "log/2"]
        assert scope.folders("") == ["log"]
        assert store.folders("namespaces") == ["vision"]
        assert scope.put_if_absent("log/2", b"z") is False

    def test_scopes_do_not_see_each_other(self, store: Store) -> None:
        vision, speech = store.scope("namespaces/vision"), store.scope("namespaces/speech")
        assert vision.put_if_absent("log/1", b"vision") is True
        assert speech.put_if_absent("log/1", b"speech") is True
        assert vision.get("log/1") == b"vision"
        vision.delete("log/1")
        assert speech.get("log/1") == b"speech"
        assert list(vision.list("")) == []

    def test_scopes_nest_and_say_where_they_are(self, store: Store) -> None:
        nested = store.scope("a").scope("b/c")
        nested.put("1", b"x")
        assert store.get("a/b/c/1") == b"x"
        assert nested.uri.replace("\\", "/").endswith("a/b/c")
        assert nested.uri != store.uri

    def test_the_staging_folder_of_a_scope_shows_only_when_asked_for(self, store: Store) -> None:
        scope = store.scope("namespaces/vision")
        scope.put("tmp/spool/w1", b"points")
        scope.put("data/tmp/part", b"")
        assert list(scope.list("")) == ["data/tmp/part"]
        assert scope.folders("") == ["data"]
        assert list(scope.list("tmp")) == ["tmp/spool/w1"]
        assert scope.folders("tmp") == ["spool"]

    def test_the_sizes_are_those_of_all_files_below_staged_and_temporary_ones_too(self, store: Store) -> None:
        scope = store.scope("namespaces/vision")
        scope.put("log/1", b"one")
        scope.put("log2/1", b"")
        scope.put("tmp/spool/w1", b"points")
        assert sorted(scope.sizes("")) == [("log/1", 3), ("log2/1", 0), ("tmp/spool/w1", 6)]
        assert list(scope.sizes("log")) == [("log/1", 3)]
        assert sorted(each.path for each in store.sizes("")) == [
            f"namespaces/vision/{path}" for path in ("log/1", "log2/1", "tmp/spool/w1")
        ]
        assert list(store.sizes("nowhere")) == []

    def test_a_namespace_may_be_called_like_the_staging_folder(self, store: Store) -> None:
        store.scope("namespaces/tmp").put("log/1", b"x")
        assert list(store.list("")) == ["namespaces/tmp/log/1"]
        assert store.folders("namespaces") == ["tmp"]

    # Refusals

    @pytest.mark.parametrize("path", BAD_PATHS)
    def test_bad_paths_are_refused_by_every_method_when_it_is_called(self, store: Store, path: str) -> None:
        calls: list[Callable[[], object]] = [
            lambda: store.get(path),
            lambda: store.put(path, b""),
            lambda: store.put_if_absent(path, b""),
            lambda: store.sync(path),
            lambda: store.writer(path),
            lambda: store.size(path),
            lambda: store.local_file(path),
            lambda: store.local_files([path]),
            lambda: store.forget(path),
            lambda: store.recall(path),
            lambda: store.remember(path, b""),
            lambda: store.scope(path),
        ]
        if not path.endswith(".tmp"):
            calls.append(lambda: store.delete(path))
        if path:
            calls += [lambda: store.list(path), lambda: store.sizes(path), lambda: store.folders(path)]
        for call in calls:
            with pytest.raises(InvalidInputError, match="not a path within a store"):
                call()
        assert list(store.list("")) == []

    def test_what_a_dead_writer_left_under_a_temporary_name_can_be_deleted(self, store: Store) -> None:
        store.put("log/1", b"x")
        store.delete("log/.1.0123456789abcdef.tmp")
        assert list(store.list("")) == ["log/1"]

    def test_an_empty_store_of_ones_own_is_writable(self, store: Store) -> None:
        assert store.writable()
        assert store.scope("namespaces/vision").writable()
        assert list(store.list("")) == []


def watch(look: Callable[[], bytes | None], *, during: Callable[[], None]) -> set[bytes | None]:
    """All that `look` has seen, over and over, while `during` ran in another thread, and at least once after."""
    seen = set()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(during)
        while not running.done():
            seen.add(look())
        running.result()
    seen.add(look())
    return seen
