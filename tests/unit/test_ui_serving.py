"""Starting the page: one line with the address, a port that is free, an end by Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from localreg import Registry, errors
from localreg.ui.serving import USUAL_PORT, serve


@contextmanager
def served(uri: str, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`localreg ui` in a process of its own: the address that it prints, and the process."""
    command = [sys.executable, "-m", "localreg", "-r", uri, "ui", "--no-browser", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            yield (line.split()[2] if line else ""), process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.wait(30)


def asked(address: str, **headers: str) -> str:
    with urlopen(Request(address, headers=headers), timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def test_the_address_that_is_printed_answers_and_ctrl_c_ends_it(registry: Registry) -> None:
    registry.create_model("meadow")
    with served(registry.uri, "--port", "0") as (address, process):
        assert address.startswith("http://127.0.0.1:")
        assert "meadow" in asked(address)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert out == ""


def test_another_name_is_refused_by_the_server_too(registry: Registry) -> None:
    with served(registry.uri, "--port", "0") as (address, _), pytest.raises(HTTPError, match="421"):
        asked(address, Host="evil.example")


def test_the_usual_port_gives_way_to_a_free_one(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = opened_addresses(registry, monkeypatch, holding=USUAL_PORT)
    assert addresses[0] != f"http://127.0.0.1:{USUAL_PORT}/"


def opened_addresses(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, *, holding: int, **options: object
) -> Sequence[str]:
    """What is told to be the address while somebody holds a port; nothing is served."""
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)
    addresses: list[str] = []
    with socket.socket() as taken:
        try:
            taken.bind(("127.0.0.1", holding))
            taken.listen()
        except OSError:  # somebody else holds it, which is as good
            pass
        serve(registry, opened=addresses.append, **options)  # type: ignore[arg-type]
    return addresses


def test_a_port_that_is_asked_for_and_taken_is_told(registry: Registry) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(errors.InvalidInputError, match="--port"):
            serve(registry, port=taken.getsockname()[1])


@pytest.mark.parametrize("port", [-1, 70_000])
def test_no_port_is_told(registry: Registry, port: int) -> None:
    with pytest.raises(errors.InvalidInputError, match="--port"):
        serve(registry, port=port)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.2"])
def test_other_machines_get_in_by_a_token_alone(registry: Registry, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    [address] = opened_addresses(registry, monkeypatch, holding=USUAL_PORT, host=host)
    assert len(address.partition("?token=")[2]) >= 32


@pytest.mark.parametrize("token", [" ", "short", "s+t+u+v+w", "a&b&c&d&e", "日本日本日本日本", "with space"])
def test_a_token_that_no_address_can_hold_is_refused(registry: Registry, token: str) -> None:
    with pytest.raises(errors.InvalidInputError, match="token"):
        serve(registry, token=token)


def test_read_only_is_read_only(registry: Registry) -> None:
    registry.create_model("meadow")
    with served(registry.uri, "--port", "0", "--read-only") as (address, _):
        page = asked(address)
    assert "Read-only" in page
    assert 'method="post"' not in page


def test_without_the_extra_the_line_to_type_is_told(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "starlette.py").write_text("raise ImportError('no starlette')")
    command = [sys.executable, "-m", "localreg", "-r", registry.uri, "ui", "--no-browser"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    told = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert told.returncode == 1
    assert "pip install 'localreg-registry[ui]'" in told.stderr
