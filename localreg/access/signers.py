"""Who signs in a namespace: listed, by commits that a signer signs, as everything is from the first one on."""

from __future__ import annotations

import os
from pathlib import Path

from localreg.canonical import JsonObject
from localreg.errors import AlreadyExistsError, InvalidInputError, NotFoundError, PolicyError
from localreg.log import Change
from localreg.log.features import FEATURE
from localreg.log.signing import FEATURE_NAME, SIGNING, fingerprint, openssh_text, public_key
from localreg.log.validity import Void
from localreg.names import check_name, did_you_mean, shown_value
from localreg.records.access import OWNER, SignerRecord
from localreg.session import Changes, Session
from localreg.session.signing_key import KEY, NO_KEY

__all__ = ["add_signer", "remove_signer", "void_entries"]

LARGEST_LINE = 16_384
"""Bytes of a file that may be a public key."""


def add_signer(session: Session, name: str, key: str | os.PathLike[str]) -> None:
    """Let somebody sign; see `Registry.add_signer`."""
    session.refuse_without(OWNER)
    name = check_name(name, what="name")
    public = _public_key(key)
    if not session.state().signers:
        _announce(session, public)

    def operation(changes: Changes) -> None:
        same = changes.draft.find(SignerRecord.kind, name)
        known = next((each for each in changes.draft.signers.values() if each.key == public), None)
        if known is not None and same is not None and known.name == name:
            return
        if same is not None:
            raise AlreadyExistsError(
                f"namespace {session.namespace!r} has a signer {name!r} with another key; remove that one, or take "
                "another name for this key"
            )
        if known is not None:
            raise AlreadyExistsError(f"the key {fingerprint(public)} is that of the signer {known.name!r} already")
        changes.create(
            SignerRecord(id=changes.new_id(SignerRecord.kind, name), name=name, key=openssh_text(public)), action="add"
        )

    session.change(operation)


def _announce(session: Session, public: str) -> None:
    """Before the first signer: that readers must know what signers are, in a commit of its own."""
    if session.transaction_here() is not None:
        raise InvalidInputError(
            "the first signer closes the namespace to whoever cannot sign, which is no part of a transaction; add it "
            "after the block"
        )
    own = session.key.get()
    if own is None or own.public != public:
        has = "this process has none" if own is None else f"this process has {fingerprint(own.public)}"
        raise PolicyError(
            f"the first signer of namespace {session.namespace!r} must be you, so that somebody can sign what comes "
            f"next: it takes the private key of {fingerprint(public)}, and {has}; name its file by {KEY}",
            code=NO_KEY,
        )

    def operation(changes: Changes) -> None:
        if changes.draft.find(FEATURE, FEATURE_NAME) is None:
            id = changes.new_id(FEATURE, FEATURE_NAME)
            changes.make(_feature(id))

    session.change(operation)


def _feature(id: str) -> Change:
    after: JsonObject = {"id": id, "name": FEATURE_NAME, "needed_by": "readers"}
    return Change(FEATURE, "create", id, FEATURE_NAME, after=after)


def remove_signer(session: Session, name: str) -> None:
    """Let somebody sign no more; see `Registry.remove_signer`."""
    session.refuse_without(OWNER)
    name = check_name(name, what="name")

    def operation(changes: Changes) -> None:
        row = changes.draft.find(SignerRecord.kind, name)
        names = [each.name for each in changes.draft.signers.values()]
        if row is None:
            hint = did_you_mean(name, names) if names else "; it lists none, and takes what nobody signed"
            raise NotFoundError(f"namespace {session.namespace!r} has no signer {name!r}{hint}")
        changes.delete(row, action="remove")

    session.change(operation)


def void_entries(session: Session) -> list[Void]:
    """The entries that count for nothing; see `Registry.void_entries`."""
    state = session.committed()
    return [*session.log.void_entries(session.log.next_number(state.head) - 1)]


def _public_key(key: object) -> str:
    """A public key that was given as text, or as the file that holds it: 64 hexadecimal digits."""
    text = key
    if isinstance(key, os.PathLike) or (isinstance(key, str) and key and not key.startswith("ssh-")):
        text = _content(key)
    found = public_key(text)
    if found is None and isinstance(text, str) and "PRIVATE KEY" in text:
        raise InvalidInputError(
            f"public_key is {shown_value(key)}, a private key, which nobody else should see; give the public one, "
            "which `ssh-keygen` writes beside it, with `.pub`",
            code=SIGNING,
        )
    if found is None:
        raise InvalidInputError(
            f"public_key is {shown_value(key)}; write the line of an Ed25519 `.pub` file (ssh-ed25519 AAAA…), or the "
            "path of one",
            code=SIGNING,
        )
    return found


def _content(path: str | os.PathLike[str]) -> str:
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(LARGEST_LINE).decode()
    except (OSError, ValueError, RuntimeError) as error:
        raise InvalidInputError(
            f"public_key is {shown_value(path)}, and no such file can be read; write the line of an Ed25519 `.pub` "
            "file, or its path",
            code=SIGNING,
        ) from error
