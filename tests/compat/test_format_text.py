"""The worked example in FORMAT.md is computed again from the page, so that it cannot drift."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import localreg
from localreg import records
from localreg.canonical import JsonObject, canonical, parse
from localreg.log.entry import Change, Head, Provenance, compose, entry_statement, genesis, read
from localreg.log.parquet import EntryRow, decode, encode
from localreg.log.signing import Signer, signature_of
from localreg.log.validity import Valid, Void, judge
from localreg.records.base import Record
from localreg.records.files import FilePointer
from localreg.session.signing_key import PrivateKey

PAGE = (Path(localreg.__file__).parent / "FORMAT.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def example() -> dict[str, str]:
    (block,) = re.findall(r"^```example\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    return dict(line.split(": ", 1) for line in block.splitlines())


def test_the_digests_of_the_example_follow_from_its_texts(example: dict[str, str]) -> None:
    start = sha256((example["registry id"] + example["namespace"]).encode())
    assert start.hexdigest() == example["genesis"]
    assert sha256(example["payload"].encode()).hexdigest() == example["sha256 of payload"]
    assert f'"payload":"{example["sha256 of payload"]}"' in example["record"]
    assert f'"previous":"{example["genesis"]}"' in example["record"]
    assert sha256(start.digest() + example["record"].encode()).hexdigest() == example["digest"]


def test_the_signature_of_the_example_follows_from_its_digest(example: dict[str, str]) -> None:
    (block,) = re.findall(r"^```signed\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    signed = dict(line.split(": ", 1) for line in block.splitlines())
    text = f"localreg entry 1\n{example['genesis']}\n{signed['number']}\n{example['digest']}\n"
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(signed["private key"]))
    public = private.public_key()
    assert public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() == signed["signer's key"]
    raw = public.public_bytes_raw().hex()
    assert signed["signature"] == f"ed25519:{raw}:{private.sign(text.encode()).hex()}"
    assert (
        signature_of(PrivateKey(private), entry_statement(example["genesis"], 1, example["digest"]))
        == signed["signature"]
    )
    row = EntryRow(1, 1, example["record"], example["payload"], example["digest"], signed["signature"])
    origin = genesis(example["registry id"], example["namespace"])
    signers = {"a" * 32: Signer("zoe", raw)}
    found = judge(encode([row]), origin, 1, signers, origin=origin.digest, name="the example")
    assert isinstance(found, Valid)
    again = judge(encode([row]), Head(1, *origin[1:]), 2, signers, origin=origin.digest, name="the example")
    assert isinstance(again, Void)


def test_the_texts_of_the_example_are_canonical(example: dict[str, str]) -> None:
    for text in (example["record"], example["payload"]):
        assert canonical(parse(text)) == text


def test_the_library_writes_and_reads_the_example(example: dict[str, str]) -> None:
    data = encode([EntryRow(1, 1, example["record"], example["payload"], example["digest"], "")])
    assert len(data) == int(example["bytes of our file"])
    assert sha256(data).hexdigest() == example["sha256 of our file"]
    origin = genesis(example["registry id"], example["namespace"])
    assert origin == Head(0, example["genesis"], "")
    assert read(data, origin, name="the example").head.digest == example["digest"]


def keys_on_the_page(section: str) -> set[str]:
    (table,) = re.findall(rf"^### {section}\n(.*?)^#", PAGE, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_what_is_written_has_the_keys_of_the_page_and_the_example_too(example: dict[str, str]) -> None:
    pointer = FilePointer("data/t/o/p.parquet", "t", "o", 1, 1, "0" * 64)
    change = Change("thing", "create", "i", "n", after={}, files=(pointer,), details={})
    _, data = compose(Head(0, "0" * 64, ""), [change], Provenance("a", "h"), "0" * 32, "2026-01-01T00:00:00.000000Z")
    (row,) = decode(data, name="an entry")
    optional = {"details", "files"}
    assert set(parsed(row.record)) == keys_on_the_page("record") == set(parsed(example["record"])) | optional
    assert set(parsed(row.payload)) == keys_on_the_page("payload") == set(parsed(example["payload"]))


def parsed(text: str) -> JsonObject:
    value = parse(text)
    assert isinstance(value, dict)
    return value


def test_each_kind_of_record_and_each_field_of_it_stands_on_the_page() -> None:
    (table,) = re.findall(r"^## 7\. Records\n(.*?)^### ", PAGE, re.MULTILINE | re.DOTALL)
    lines = {line.split("`")[1]: line for line in table.splitlines() if line.startswith("| `")}
    lines["test_suite"] += lines["test_case"]  # "as `test_case`"
    assert records  # the package whose classes are walked below
    for kind, cls in _record_classes().items():
        missing = [name for name in cls.model_fields if name not in ("id", "name") and f"`{name}`" not in lines[kind]]
        assert not missing, f"fields of {kind} that FORMAT.md lacks"


def _record_classes() -> dict[str, type[Record]]:
    import localreg.records.models
    import localreg.records.workflows  # noqa: F401 - defines subclasses

    found: dict[str, type[Record]] = {}
    waiting: list[type[Record]] = [Record]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls.__module__.startswith("localreg.") and "kind" in vars(cls):
            found[cls.kind] = cls
    return found


def test_the_layout_note_ends_where_the_page_says(example: dict[str, str]) -> None:
    data = encode([EntryRow(1, 1, example["record"], example["payload"], example["digest"], "")])
    sizes = [1, *(4 + len(example[name].encode()) for name in ("record", "payload", "digest")), 4]
    note = " ".join(f"{size:010d}" for size in sizes).encode()
    assert data.endswith(note, 0, len(data) - 46)
    assert "46 bytes before the end" in PAGE
