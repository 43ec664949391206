"""Whether an entry counts: whole and in its place, and, where signers are listed, signed by one of them.

Void is what nobody listed has signed: garbage, another's work, an old entry at a new number. It is passed over. What a
signer did sign for this number is never passed over: if it does not fit, it or an entry before it was altered or
removed, and that is an `IntegrityError`, as it is where nothing is signed.
"""

from __future__ import annotations

from typing import NamedTuple

from localreg.errors import FormatError, IntegrityError
from localreg.log.entry import Entry, Head, entry_path, entry_statement, read_rows
from localreg.log.parquet import EntryRow, decode
from localreg.log.signing import SIGNER, Signers, fingerprint, signed_by, signers_after

__all__ = ["Valid", "Void", "is_vouched_for", "judge"]


class Void(NamedTuple):
    """An entry that changes nothing."""

    commit: int
    """Its number, which no other entry will have."""

    reason: str
    """Why it does not count."""

    @property
    def path(self) -> str:
        """Of the file, within the namespace."""
        return entry_path(self.commit)

    def __str__(self) -> str:
        return f"{self.path} is void: {self.reason}; it changes nothing, and stays where it is"


class Valid(NamedTuple):
    """An entry that counts, and who may sign after it."""

    entry: Entry
    signers: Signers


def judge(data: bytes, head: Head, number: int, signers: Signers, *, origin: str, name: str) -> Valid | Void:
    """What the file of an entry is.

    Args:
        data: the file.
        head: where the log stands before it.
        number: by its name.
        signers: who may sign; none = nobody has to.
        origin: digest that the log began with.
        name: what to call the file in errors.

    Raises:
        FormatError: it must be read, and cannot be.
        IntegrityError: it was altered or does not follow `head`, and no signature says that it does not matter.
    """
    if not signers:
        return _founding(Valid(_read(decode(data, name=name), head, number, name), signers), origin)
    try:
        rows = decode(data, name=name)
    except FormatError:
        return Void(number, "it is no log entry")
    fault = _fault_of_signature(rows, number, signers, origin)
    if fault:
        return Void(number, fault)
    entry = _read(rows, head, number, name)
    after = signers_after(signers, entry.events)
    return Valid(entry, after) if after else Void(number, "it would leave the namespace without a signer")


def is_vouched_for(data: bytes, number: int, signers: Signers, *, origin: str) -> bool:
    """Whether one of the signers did sign the file as the entry of this number, whatever comes before it."""
    try:
        return not _fault_of_signature(decode(data, name=""), number, signers, origin)
    except FormatError:
        return False


def _read(rows: list[EntryRow], head: Head, number: int, name: str) -> Entry:
    entry = read_rows(rows, head, name=name, number=number)
    if any(event.redacted and event.kind == SIGNER for event in entry.events):
        raise IntegrityError(
            f"{name} has been altered: what it said of a signer is gone, which cannot be redacted; restore it from a "
            "copy",
            code="entry_altered",
        )
    return entry


def _founding(valid: Valid, origin: str) -> Valid | Void:
    """Who lists the first signers must be one: what nobody could sign after would close the namespace for ever."""
    entry = valid.entry
    after = signers_after(valid.signers, entry.events)
    if not after:
        return valid
    key = signed_by(entry.signature, entry_statement(origin, entry.commit, entry.head.digest))
    if not _is_listed(key, after):
        return Void(entry.commit, "it lists the first signers, and none of them has signed it")
    return Valid(entry, after)


def _fault_of_signature(rows: list[EntryRow], number: int, signers: Signers, origin: str) -> str:
    """Why the rows are not signed as they should be; "" = they are."""
    if not rows or not rows[-1].signature:
        return "it is not signed"
    key = signed_by(rows[-1].signature, entry_statement(origin, number, rows[-1].digest))
    if key is None:
        return "its signature does not hold for this log, number and digest"
    return "" if _is_listed(key, signers) else f"it is signed by {fingerprint(key)}, which is no signer at that point"


def _is_listed(key: str | None, signers: Signers) -> bool:
    return any(signer.key == key for signer in signers.values())
