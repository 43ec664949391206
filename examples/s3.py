"""A registry in an S3 bucket: two people who write to it at once, and a look at it without the network.

Against a server of its own on this machine, or any bucket, from a checkout:

    pip install -e '.[s3,test]'
    python examples/s3.py
    python examples/s3.py s3://bucket/folder [--endpoint https://…]     credentials as AWS's tools find them
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import localreg

INSTALL = "pip install -e '.[s3,test]'"


@contextlib.contextmanager
def server_of_our_own() -> Iterator[tuple[str, dict[str, object]]]:
    """Moto's S3 server with a fresh bucket: the address of a registry there, and the options to reach it.

    It has one thread: with several, moto tells more than one of two writers that it created the same file.
    """
    try:
        import boto3
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server
    except ImportError as error:
        raise SystemExit(f"the example's own server needs {error.name}: {INSTALL}") from error

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    endpoint, key, secret = f"http://127.0.0.1:{server.server_port}", "any-key", "any-secret"
    try:
        client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            region_name="us-east-1",
        )
        client.create_bucket(Bucket="models")
        yield "s3://models/registry", {"endpoint_url": endpoint, "key": key, "secret": secret}
    finally:
        server.shutdown()
        thread.join()


def write(uri: str, options: Mapping[str, object], actor: str) -> None:
    """What one person does: each call is one commit; who loses the race for a number takes the next."""
    registry = localreg.open(uri, storage_options=options, actor=actor)
    for number in range(1, 4):
        registry.create_model(f"{actor}'s model {number}", metadata={"lr": 0.1**number}, exist_ok=True)


def show(uri: str, options: Mapping[str, object]) -> None:
    """Write from two sides at once, then look from a third, online and offline."""
    localreg.open(uri, storage_options=options)  # made once, if it is not there
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda actor: write(uri, options, actor), ["ana", "ben"]))
    registry = localreg.open(uri, storage_options=options, read_only=True)
    print(registry)
    print(registry.sql("SELECT name, created_by FROM models ORDER BY name"))
    print(registry.verify())
    offline = localreg.open(uri, storage_options=options, offline=True)
    print(f"offline, from this machine's cache: {len(offline.models())} models as of commit {offline.commit}")


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("uri", nargs="?", help="s3://bucket/folder; without it, a server is started for the example")
    parser.add_argument("--endpoint", help="of a store that is not AWS's")
    arguments = parser.parse_args()
    if arguments.uri is None:
        with server_of_our_own() as (uri, options):
            show(uri, options)
    else:
        show(arguments.uri, {"endpoint_url": arguments.endpoint} if arguments.endpoint else {})


if __name__ == "__main__":
    main()
