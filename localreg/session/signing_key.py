"""The key that a process signs its commits with: where its file is, and how it is read.

It is read when the first commit needs it, and kept in memory from then on. Its passphrase is never kept.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from localreg.errors import AccessDeniedError, InvalidInputError, LocalregError, PolicyError
from localreg.log.signing import (
    SIGNING,
    Signers,
    SigningKey,
    fingerprint,
    openssh_text,
    public_key,
    without_cryptography,
)
from localreg.names import shown_value

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "KEY",
    "NO_KEY",
    "PASSPHRASE",
    "KeySource",
    "PrivateKey",
    "ask_passphrase",
    "make_key",
    "needed_key",
    "read_key",
]

KEY = "LOCALREG_SIGNING_KEY"
"""The environment variable that names the file of the key."""

PASSPHRASE = "LOCALREG_SIGNING_PASSPHRASE"
"""The environment variable that holds the passphrase of an encrypted one."""

NO_KEY = "no_signing_key"
"""Code of the refusal to whoever cannot sign."""

LARGEST_KEY = 65_536
"""Bytes of a file that may be a key."""

ask_passphrase: list[Callable[[str], str | None]] = []
"""How to ask a person for the passphrase of a file, if there is one to be asked: the command line adds its way."""


class PrivateKey:
    """An Ed25519 key.

    Attributes:
        public: its public key, as 64 hexadecimal digits.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw().hex()

    def sign(self, data: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"<PrivateKey {fingerprint(self.public)}>"


class KeySource:
    """The key of a process, read when it is first asked for.

    Args:
        path: its file, which must be there; None = what `LOCALREG_SIGNING_KEY` names when it is asked for.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self._path = None if path is None else _checked_path(path)
        self._lock = threading.Lock()
        self._read: tuple[Path, PrivateKey] | None = None

    def get(self) -> PrivateKey | None:
        """The key; None if no file was named.

        Raises:
            InvalidInputError: the file is not there, or no key, or its passphrase is wrong.
        """
        named = os.environ.get(KEY)
        path = self._path or (Path(named).expanduser().absolute() if named else None)
        if path is None:
            return None
        with self._lock:
            if self._read is None or self._read[0] != path:
                self._read = path, read_key(path)
            return self._read[1]

    def if_usable(self) -> PrivateKey | None:
        """The same, and None for one that cannot be read: for what need not be signed."""
        try:
            return self.get()
        except LocalregError:
            return None

    def renew_lock(self) -> None:
        """After a fork: another thread may have held it."""
        self._lock = threading.Lock()


def needed_key(source: KeySource, namespace: str, before: Signers, after: Signers | None = None) -> SigningKey | None:
    """The key to sign a commit with; None where nobody has to.

    Args:
        source: of this process's key.
        namespace: its name, for messages.
        before: who may sign it.
        after: who may sign the next; of the first signers one must sign.

    Raises:
        AccessDeniedError: the commit must be signed, and this process has no key of a signer (`no_signing_key`).
        PolicyError: nobody could sign the next one (`no_signer`).
        InvalidInputError: the key cannot be read.
    """
    allowed = before or after
    if not allowed:
        return None
    if after is not None and not after:
        raise PolicyError(
            f"namespace {namespace!r} would have no signer, so that nothing could be committed any more; add another "
            "one first; nothing was written",
            code="no_signer",
        )
    key = source.get()
    if key is not None and any(signer.key == key.public for signer in allowed.values()):
        return key
    names = ", ".join(sorted(repr(signer.name) for signer in allowed.values())[:3])
    has = "this process has no key" if key is None else f"the key {fingerprint(key.public)} is none of theirs"
    raise AccessDeniedError(
        f"namespace {namespace!r} takes only commits signed by its signers ({names}), and {has}; name the file of one "
        f"by {KEY}, or have a signer add yours; nothing was written",
        code=NO_KEY,
    )


def _checked_path(path: object) -> Path:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        raise InvalidInputError(f"signing_key is {shown_value(path)}; write the path of a file", code=SIGNING)
    try:
        found = Path(text).expanduser().absolute()
        is_there = found.is_file()
    except (OSError, ValueError, RuntimeError):  # what no file can be called, or the home of nobody
        is_there = False
    if not is_there:
        raise InvalidInputError(
            f"signing_key is {shown_value(text)}, and there is no such file; `localreg signers keygen PATH` makes one",
            code=SIGNING,
        )
    return found


def read_key(path: Path) -> PrivateKey:
    """The key in a file: OpenSSH's, or PEM.

    Raises:
        InvalidInputError: it cannot be read, is none, or needs another passphrase.
    """
    data = _content(path)
    passphrase = os.environ.get(PASSPHRASE)
    try:
        return PrivateKey(_parsed(path, data, passphrase))
    except _LockedError:
        for ask in ask_passphrase:
            answer = ask(str(path))
            if answer:
                return PrivateKey(_parsed(path, data, answer))
        raise


class _LockedError(InvalidInputError):
    """The key is encrypted, and no passphrase was given."""


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_KEY + 1)
    except OSError as error:
        raise InvalidInputError(
            f"the signing key {str(path)!r} cannot be read: {error.strerror or error}; see {KEY}", code=SIGNING
        ) from error
    if len(data) > LARGEST_KEY:
        raise _no_key(path, "it is too large")
    return data


def _parsed(path: Path, data: bytes, passphrase: str | None) -> Ed25519PrivateKey:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        raise without_cryptography() from error
    is_openssh = b"BEGIN OPENSSH PRIVATE KEY" in data
    load = serialization.load_ssh_private_key if is_openssh else serialization.load_pem_private_key
    try:
        key = load(data, passphrase.encode() if passphrase else None)
    except TypeError as error:  # encrypted, and no passphrase; or the other way round
        if passphrase:
            return _parsed(path, data, None)
        raise _LockedError(
            f"the signing key {str(path)!r} is encrypted; give its passphrase by {PASSPHRASE}", code=SIGNING
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if public_key(data.decode(errors="replace")) is not None:
            raise InvalidInputError(
                f"{str(path)!r} is a public key, with which nobody can sign; name the file of the private one, which "
                "`ssh-keygen` writes beside it, without `.pub`",
                code=SIGNING,
            ) from error
        raise _no_key(path, "it is damaged, of another kind, or its passphrase is wrong") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, f"it is of type {type(key).__name__.removesuffix('PrivateKey')}")
    return key


def _no_key(path: Path, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{str(path)!r} is no private Ed25519 key ({why}); `localreg signers keygen PATH` or `ssh-keygen -t ed25519` "
        "makes one",
        code=SIGNING,
    )


def make_key(path: str | os.PathLike[str], passphrase: str = "") -> str:
    """Make a private key in a new file that only its owner may read, and beside it the public one, with `.pub`.

    Args:
        path: of the file, which must be absent.
        passphrase: to encrypt it with; empty = it is not.

    Returns:
        The public key, as OpenSSH writes it.

    Raises:
        InvalidInputError: there is a file already, or it cannot be written.
    """
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError as error:
        raise without_cryptography() from error
    key = Ed25519PrivateKey.generate()
    form, encoding = serialization.PrivateFormat.OpenSSH, serialization.Encoding.PEM
    lock = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    public = openssh_text(PrivateKey(key).public)
    files = (
        (os.fspath(path), key.private_bytes(encoding, form, lock)),
        (f"{os.fspath(path)}.pub", f"{public}\n".encode()),
    )
    for name, _ in files:
        if os.path.lexists(name):
            raise InvalidInputError(f"{name!r} is there; name a file that is not", code=SIGNING)
    for name, content in files:
        try:
            descriptor = os.open(
                name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if name == os.fspath(path) else 0o644
            )
        except OSError as error:
            raise InvalidInputError(
                f"{name!r} cannot be made: {error.strerror or error}; name a file in a folder that may be written to",
                code=SIGNING,
            ) from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    return public
