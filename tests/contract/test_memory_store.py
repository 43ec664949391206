from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from localreg.errors import AlreadyExistsError, InvalidInputError
from localreg.storage import MemoryStore
from localreg.storage.memory import _remove_own_folder
from tests.contract.store_contract import StoreContract

if TYPE_CHECKING:
    from pathlib import Path

    from localreg.storage import Store


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestScopeOfMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore().scope("namespaces/vision")


def test_one_name_gives_one_store_and_another_name_another() -> None:
    store = MemoryStore.named("test_one_name")
    store.put("a", b"x")
    assert MemoryStore.named("test_one_name") is store
    assert MemoryStore.named("test_another_name").get("a") is None
    assert MemoryStore("test_one_name").get("a") is None


def test_a_shared_store_needs_a_name() -> None:
    with pytest.raises(InvalidInputError, match="memory://name"):
        MemoryStore.named("")


def test_the_uri_names_store_and_scope() -> None:
    assert MemoryStore.named("test_uri").uri == "memory://test_uri"
    assert MemoryStore.named("test_uri").scope("a/b").uri == "memory://test_uri/a/b"
    assert MemoryStore().scope("a").scope("b").uri == "memory://a/b"
    assert repr(MemoryStore("x")) == "MemoryStore('memory://x')"


def test_what_is_put_is_kept_even_if_the_buffer_changes() -> None:
    store, buffer = MemoryStore(), bytearray(b"first")
    store.put("a", buffer)  # type: ignore[arg-type]
    store.put_if_absent("b", buffer)  # type: ignore[arg-type]
    buffer[:] = b"later"
    assert (store.get("a"), store.get("b")) == (b"first", b"first")


def test_a_streamed_file_appears_whole_or_yields_to_a_faster_one() -> None:
    store = MemoryStore()
    with pytest.raises(AlreadyExistsError), store.writer("data/part") as file:  # noqa: PT012
        file.write(b"mine")
        assert store.get("data/part") is None
        store.put("data/part", b"of another")
    assert store.get("data/part") == b"of another"


def test_native_copies_are_removed_with_the_last_store_that_needs_them() -> None:
    store = MemoryStore()
    scope = store.scope("a")
    store.put("a/b", b"x")
    copy = scope.local_file("b")
    del store
    gc.collect()
    assert copy.exists()
    del scope
    gc.collect()
    assert not copy.parent.exists()


def test_a_deleted_file_takes_its_native_copy_along() -> None:
    store = MemoryStore()
    store.put("a", b"x")
    copy = store.local_file("a")
    store.delete("a")
    assert not copy.exists()


def test_a_reader_of_an_earlier_content_keeps_its_copy() -> None:
    store = MemoryStore()
    store.put("a", b"first")
    earlier = store.local_file("a")
    store.put("a", b"second")
    assert store.local_file("a").read_bytes() == b"second"
    assert earlier.read_bytes() == b"first"


def test_native_copies_are_removed_when_the_process_ends(tmp_path: Path) -> None:
    program = "from localreg.storage import MemoryStore as M; s = M(); s.put('a', b'x'); print(s.local_file('a'))"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_a_folder_of_its_own_and_leaves_its_parents_alone(tmp_path: Path) -> None:
    program = """
import os, sys
from localreg.storage import MemoryStore
from localreg.storage.memory import _remove_own_folder
store = MemoryStore()
store.put("a", b"x")
mine = store.local_file("a")
child = os.fork()
if child == 0:
    store.delete("a")
    store.put("a", b"x")
    theirs = store.local_file("a")
    assert theirs.parent != mine.parent and theirs.read_bytes() == b"x"
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert mine.read_bytes() == b"x"
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_memory_store_cannot_be_sent_to_another_process() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(MemoryStore())


def test_only_the_process_that_made_a_folder_removes_it(tmp_path: Path) -> None:
    _remove_own_folder(tmp_path, owner=os.getpid() + 1)
    assert tmp_path.exists()
    _remove_own_folder(tmp_path, owner=os.getpid())
    assert not tmp_path.exists()
