"""Databases in memory, and what a fork of their process does with them."""

from __future__ import annotations

import gc
import os
import select
import signal
import sys

import pytest

from localreg.query.shared import connected

PATIENCE_S = 60


@pytest.mark.skipif(sys.platform == "win32", reason="no fork on Windows")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_child_of_a_fork_collects_garbage_of_its_parent_and_does_not_wait_for_its_threads() -> None:
    """The garbage held a database, and closing that waits for threads that only the parent has: for ever."""
    gc.disable()
    try:
        circle: list[object] = [connected({"threads": 2})]
        circle.append(circle)
        del circle
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            own = connected({"threads": 2})  # its threads take the places that the parent's had
            gc.collect()
            os.write(writer, b"done" if own else b"")
            os._exit(0)
    finally:
        gc.enable()
    try:
        assert select.select([reader], [], [], PATIENCE_S)[0], "the child came to a standstill"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(writer)
