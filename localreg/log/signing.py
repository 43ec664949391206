"""Signatures: what they stand for, who may make them, and how they are checked.

A namespace that lists signers takes only what one of them has signed: every other entry is *void*. It keeps its
number, changes nothing, and the next valid entry chains on the last valid one. All rules are here, and pure; where
keys come from is told in `localreg.session.signing_key`, what is done with void entries in `localreg.log.reader`.

Ed25519 (RFC 8032) by the package cryptography, which is imported with the first signature only. Public keys stand in
records as OpenSSH writes them (RFC 8709, section 4), in signatures as 64 hexadecimal digits.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from localreg.errors import InvalidInputError

if TYPE_CHECKING:
    from localreg.canonical import JsonObject

__all__ = [
    "FEATURE_NAME",
    "NO_SIGNERS",
    "SIGNER",
    "SIGNING",
    "UNSIGNED",
    "Signer",
    "Signers",
    "SigningKey",
    "fingerprint",
    "openssh_text",
    "public_key",
    "signature_of",
    "signed_by",
    "signers_after",
    "signers_of",
    "statement",
    "without_cryptography",
]

SIGNER: Final = "signer"
"""The kind of the records that list who signs."""

FEATURE_NAME: Final = "signers"
"""The feature that readers must know, from a commit before the first signer on."""

SIGNING: Final = "signing"
"""Code of errors about keys."""

_SIGNATURE = re.compile("ed25519:([0-9a-f]{64}):([0-9a-f]{128})", re.ASCII)
_OPENSSH = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"
"""What the 51 bytes of an OpenSSH public key begin with; the key's 32 follow."""


class Signer(NamedTuple):
    """Who may sign: a name, and the public key as 64 hexadecimal digits."""

    name: str
    key: str


Signers = Mapping[str, Signer]
"""By id of the record. Never changed: a change makes another."""

NO_SIGNERS: Signers = MappingProxyType({})
"""Of a namespace that lists none, and takes every entry."""


class SigningKey(Protocol):
    """A private key."""

    @property
    def public(self) -> str:
        """Its public key, as 64 hexadecimal digits."""

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the signature."""


class Named(Protocol):
    """An event, or a change that becomes one: what the fold sees of a record."""

    @property
    def kind(self) -> str:
        """Of the record."""

    @property
    def id(self) -> str:
        """Of the record."""

    @property
    def name(self) -> str:
        """Of the record."""

    @property
    def action(self) -> str:
        """The verb."""

    @property
    def effect(self) -> str:
        """What becomes of it."""

    @property
    def after(self) -> JsonObject | None:
        """What it says afterwards."""


def signers_after(signers: Signers, events: Iterable[Named]) -> Signers:
    """Who may sign after some events; the same object if none of them is about a signer."""
    for event in events:
        if event.kind == SIGNER and event.effect != "none" and event.action != "condemn":
            kept = {id: signer for id, signer in signers.items() if id != event.id}
            key = public_key((event.after or {}).get("key")) if event.effect == "put" else None
            signers = {**kept, event.id: Signer(event.name, key)} if key is not None else kept
    return signers


def signers_of(records: Iterable[tuple[str, str, JsonObject]]) -> Signers:
    """Who may sign, from all records of signers: id, name and fields of each."""
    keys = ((id, name, public_key(fields.get("key"))) for id, name, fields in records)
    return {id: Signer(name, key) for id, name, key in keys if key is not None}


def public_key(text: object) -> str | None:
    """The Ed25519 key in a line of an OpenSSH `.pub` file, as 64 hexadecimal digits; None of anything else."""
    words = text.split() if isinstance(text, str) else []
    if len(words) < 2 or words[0] != "ssh-ed25519":
        return None
    try:
        data = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    return data[-32:].hex() if len(data) == 51 and data.startswith(_OPENSSH) else None


def openssh_text(key: str) -> str:
    """The other way: as the line of a `.pub` file, without a comment."""
    return f"ssh-ed25519 {base64.b64encode(_OPENSSH + bytes.fromhex(key)).decode()}"


def fingerprint(key: str) -> str:
    """How OpenSSH calls a public key: `SHA256:` and 43 characters."""
    return f"SHA256:{base64.b64encode(sha256(_OPENSSH + bytes.fromhex(key)).digest()).decode().rstrip('=')}"


def statement(what: str, *parts: object) -> bytes:
    """The bytes that are signed, of an `entry`, a `snapshot`, a `history` segment: none reads as another."""
    return "\n".join([f"localreg {what} 1", *map(str, parts), ""]).encode()


def signature_of(key: SigningKey, data: bytes) -> str:
    """A signature as it is stored: `ed25519:`, the public key, `:`, the signature; 201 characters."""
    signature = f"ed25519:{key.public}:{key.sign(data).hex()}"
    _keep(signature, data)
    return signature


KEPT = 1_024
"""Signatures that were found to hold, or were made here, and are known again: a log's end is read more than once."""

_holding: dict[tuple[str, bytes], None] = {}


def _keep(signature: str, data: bytes) -> None:
    if len(_holding) >= KEPT:
        _holding.clear()
    _holding[signature, data] = None


UNSIGNED = f"ed25519:{'0' * 64}:{'0' * 128}"
"""As long as a signature: stands in its place in what is signed together with the text around it."""


def signed_by(signature: object, data: bytes) -> str | None:
    """The public key, as 64 hexadecimal digits, whose holder has signed these bytes; None if nobody has.

    Raises:
        InvalidInputError: the package that can tell is not installed.
    """
    match = _SIGNATURE.fullmatch(signature) if isinstance(signature, str) else None
    if match is None:
        return None
    if (match[0], data) in _holding:
        return match[1]
    from_key, invalid = _verifier()
    try:
        from_key(match[1]).verify(bytes.fromhex(match[2]), data)
    except (invalid, ValueError):  # ValueError: no point of the curve
        return None
    _keep(match[0], data)
    return match[1]


@lru_cache(maxsize=1)
def _verifier() -> tuple[Any, type[Exception]]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise without_cryptography() from error

    @lru_cache(maxsize=256)
    def from_key(key: str) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))

    return from_key, InvalidSignature


def without_cryptography() -> InvalidInputError:
    """The error of a machine that cannot check signatures."""
    return InvalidInputError(
        "signatures need the package cryptography, which is not installed: pip install 'localreg-registry[sign]'",
        code=SIGNING,
    )
