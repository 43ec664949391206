"""An S3 server in this process for tests, and what they need of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any
from uuid import uuid4

from localreg.storage.address import parse_address
from localreg.storage.remote import RemoteStore

SECRET = "s3cr3t-0f-th3-t3sts"
"""Must never be found in anything written or shown."""
KEY = "AKIA0TESTS0LOCALREG0"


class Server:
    """Moto's S3 server on a free port of this machine; it deals with one request at a time.

    Moto sees whether a key is there, and puts it, without a lock around the two: of requests at the same moment several
    are told that they created it.

    Attributes:
        endpoint: its URL.
    """

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        app = _one_at_a_time(DomainDispatcherApplication(create_backend_app))
        self._server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=MotoRequestHandler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._thread.join()

    @cached_property
    def client(self) -> Any:
        """A client of AWS's own library, to look behind our back."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def bucket(self) -> str:
        """A fresh bucket's name."""
        name = f"bucket-{uuid4().hex}"
        self.client.create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str) -> list[str]:
        """All keys in a bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]


def _one_at_a_time(app: Any) -> Any:
    """A WSGI application whose answers are made one after the other."""
    lock = threading.Lock()

    def answer(environ: Any, start_response: Any) -> list[bytes]:
        with lock:
            return list(app(environ, start_response))

    return answer


def options(endpoint: str) -> dict[str, Any]:
    """Storage options for a server of ours."""
    return {"key": KEY, "secret": SECRET, "endpoint_url": endpoint, "client_kwargs": {"region_name": "us-east-1"}}


def store_at(uri: str, storage_options: Mapping[str, Any] | None = None, **rest: Any) -> RemoteStore:
    """The store of an address."""
    return RemoteStore(parse_address(uri, storage_options), **rest)


@contextmanager
def served() -> Iterator[Server]:
    """A server for a block."""
    with _descriptions_read_once():
        server = Server()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def _descriptions_read_once() -> Iterator[None]:
    """Let AWS's library read the description of S3 once for all its sessions, and not a megabyte for each."""
    import botocore.session

    usual, botocore.session.create_loader = botocore.session.create_loader, cache(botocore.session.create_loader)
    try:
        yield
    finally:
        botocore.session.create_loader = usual
