"""Keys for tests, and what somebody who can write into the folder does to a log without one that counts."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import localreg
from localreg import Registry
from localreg.log.entry import Change, Head, Provenance, compose, entry_path
from localreg.log.parquet import EntryRow, decode, encode
from localreg.log.signing import openssh_text
from localreg.names import new_id
from localreg.session.signing_key import PrivateKey

__all__ = ["LogFolder", "key_file", "key_of", "public_text", "signed_registry"]


def key_of(name: str) -> PrivateKey:
    """The same key for a name each time."""
    return PrivateKey(_private(name))


def _private(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest())


def public_text(name: str) -> str:
    """Its public key, as OpenSSH writes it."""
    return openssh_text(key_of(name).public)


def key_file(folder: Path, name: str, *, passphrase: str = "", openssh: bool = True) -> Path:
    """A file with a name's private key."""
    path = folder / f"{name}.key"
    path.write_bytes(
        _private(name).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH if openssh else serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption(),
        )
    )
    return path


def signed_registry(folder: Path, *names: str) -> Registry:
    """A registry with a model `m` in it, in which these sign; opened by the first of them."""
    names = names or ("ana",)
    registry = localreg.open(folder / "registry", actor=names[0], signing_key=key_file(folder, names[0]))
    registry.create_model("m", metadata={"a": 1})
    for name in names:
        registry.add_signer(name, public_text(name))
    return registry


class LogFolder:
    """The entries of a registry's namespace, as anybody sees them who may write there."""

    def __init__(self, registry: Registry) -> None:
        self.log = registry._session.log
        self.folder = Path(self.log.store.uri)

    def path(self, commit: int) -> Path:
        """Of an entry."""
        return self.folder / entry_path(commit)

    @property
    def last(self) -> int:
        """The last number that is taken."""
        return max(int(path.stem) for path in (self.folder / "log").glob("*.parquet"))

    def rows(self, commit: int) -> list[EntryRow]:
        """What an entry holds."""
        return decode(self.path(commit).read_bytes(), name=str(commit))

    def write(self, commit: int, content: bytes | list[EntryRow]) -> None:
        """Put a file at a number, in the place of what is there."""
        self.path(commit).write_bytes(content if isinstance(content, bytes) else encode(content))

    def head(self, commit: int) -> Head:
        """Where the log stands after an entry."""
        return Head(commit, self.rows(commit)[-1].digest, "2026-01-01T00:00:00.000000Z")

    def forged(
        self,
        name: str | None,
        *,
        after: int,
        number: int,
        changes: list[Change] | None = None,
        origin: str | None = None,
    ) -> bytes:
        """An entry that chains on the one of number `after`, signed by a name's key, or by nobody."""
        id = new_id()
        made = changes or [Change("model", "create", id, f"forged {id}", after={"id": id, "name": f"forged {id}"})]
        _, data = compose(
            self.head(after),
            made,
            Provenance("ana", "laptop"),
            new_id(),
            "2026-01-02T00:00:00.000000Z",
            number=number,
            key=None if name is None else key_of(name),
            origin=self.log.origin.digest if origin is None else origin,
        )
        return data
