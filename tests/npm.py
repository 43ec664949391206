"""Servers from npm for tests: each skips with what to type where its program is not on the PATH."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own, the same for everybody: written down in its documentation."""

PATIENCE_S = 60.0
"""What has not said by then where it listens is ended."""


@contextmanager
def s3rver(folder: Path) -> Iterator[str]:
    """An S3 server that takes conditional puts and overwrites; its endpoint."""
    with _listening("s3rver", "-d", str(folder), "-a", "127.0.0.1", "-p", "0", "-s") as address:
        yield f"http://{address}"


@contextmanager
def azurite(folder: Path) -> Iterator[str]:
    """Microsoft's emulator of Azure's blobs; a connection string."""
    options = ["--location", str(folder), "--blobPort", "0", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with _listening("azurite-blob", *options, package="azurite") as address:
        yield (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
            f"BlobEndpoint=http://{address}/{ACCOUNT};"
        )


@contextmanager
def _listening(program: str, *arguments: str, package: str = "") -> Iterator[str]:
    """A program that says where it listens; host and port."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program} on the PATH: npm install --global {package or program}")
    process = subprocess.Popen([found, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    impatience = threading.Timer(PATIENCE_S, process.kill)
    impatience.start()
    try:
        address = _address(process, program)
        impatience.cancel()
        yield address
    finally:
        impatience.cancel()
        process.kill()
        process.communicate()


def _address(process: subprocess.Popen[str], program: str) -> str:
    said = []
    for line in process.stdout or ():
        said.append(line)
        match = re.search(r"listen(?:s|ing) on (?:http://)?([\d.]+:\d+)", line)
        if match is not None:
            return match[1]
    pytest.fail(f"{program} ended before it listened:\n{''.join(said)}")
