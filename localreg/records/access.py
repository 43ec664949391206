"""Who may do what in a namespace, its grants; and whose signature it takes, its signers."""

from __future__ import annotations

from typing import ClassVar, Final

from localreg.records.base import Record

__all__ = ["EVERYBODY", "OWNER", "READER", "ROLES", "RUNNER", "WRITER", "GrantRecord", "SignerRecord"]

READER: Final = "reader"
"""Reads, and nothing else."""
RUNNER: Final = "runner"
"""Also what test runs, loads, downloads and declared actions commit."""
WRITER: Final = "writer"
"""Also all other changes, but for those of owners."""
OWNER: Final = "owner"
"""Also grants, protects, and takes out of the past."""

ROLES: Final = (READER, RUNNER, WRITER, OWNER)
"""From the least to the most: each may do what those before it may."""

EVERYBODY: Final = "*"
"""The principal that stands for all who have no grant of their own."""


class GrantRecord(Record):
    """The role of one principal. `name` is the principal: an actor as the audit log names it, or `*`."""

    kind: ClassVar[str] = "grant"

    role: str
    """One of `ROLES`."""


class SignerRecord(Record):
    """Whose signature counts. `name` is for people; the key decides."""

    kind: ClassVar[str] = "signer"

    key: str
    """The public Ed25519 key as OpenSSH writes it: `ssh-ed25519` and 68 characters, without a comment."""
