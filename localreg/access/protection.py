"""Protecting a namespace's folder: permissions that the operating system enforces, set, kept and verified.

This is what grants are as strong as. Only the owner of a file may change its permissions, so that whoever protects a
folder in which others have written must be root, or is told what is left to them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localreg.canonical import JsonObject
from localreg.errors import InvalidInputError, NotFoundError, ReadOnlyError
from localreg.names import amount, check_flag, check_name, shown_value
from localreg.records.access import OWNER
from localreg.records.models import NamespaceRecord
from localreg.session import Changes, Session
from localreg.storage import LocalStore
from localreg.storage.disk import POSIX
from localreg.storage.protection import MARK, PathFault, Protection, deviations, protection_of

__all__ = ["PathFault", "ProtectionReport", "protect"]

MEMBERS = ("read", "write")
OTHERS = ("none", "read")


@dataclass(frozen=True, slots=True, repr=False)
class ProtectionReport:
    """What was set, or would be, and what is not as it should be."""

    namespace: str
    """Its name."""

    group: str
    """The group of the operating system."""

    members: str
    """What its members may do: `read` or `write`."""

    others: str
    """What everybody else may do: `none` or `read`."""

    dry_run: bool
    """Whether nothing was changed."""

    deviations: tuple[PathFault, ...]
    """What is not as it should be, each with `path` and `fault`: now, or after what could be set was set."""

    @property
    def ok(self) -> bool:
        """All is as it should be."""
        return not self.deviations

    def __str__(self) -> str:
        others = "nobody else may enter" if self.others == "none" else "all others may read"
        head = f"namespace {self.namespace!r}: members of {self.group!r} may {self.members}, {others}"
        if self.ok:
            return f"{head}; all of it is so"
        lines = "".join(f"\n  {_shown(each.path)} {each.fault}" for each in self.deviations)
        return f"{head}; not so, or not enforced, at {amount(len(self.deviations), 'place')}:{lines}"

    def __repr__(self) -> str:
        return (
            f"<ProtectionReport of {self.namespace!r}: {len(self.deviations)} deviations{', dry run' * self.dry_run}>"
        )


def _shown(path: str) -> str:
    """A whole path; others' files may have names that would break a line."""
    return path if path.isprintable() else ascii(path)


def protect(
    session: Session, *, group: str | int | None, members: str | None, others: str | None, dry_run: bool
) -> ProtectionReport:
    """See `Registry.protect`."""
    check_flag(dry_run, what="dry_run")
    root = _folder(session)
    wanted = _wanted(root, session.namespace, group, members, others)
    session.refuse_stranger()
    if not dry_run:
        _set(session, root, wanted)
    found = [*deviations(root, wanted, mend=not dry_run), *_barriers(root, wanted)]
    if protection_of(root) != wanted and not any(each.path == root for each in found):
        found.insert(0, PathFault(root, "is not marked as protected so: new files get what the umask says"))
    return ProtectionReport(session.namespace, wanted.group, wanted.members, wanted.others, dry_run, tuple(found))


def _set(session: Session, root: str, wanted: Protection) -> None:
    """Say so in the log, and then in the folder."""
    session.refuse_without(OWNER)
    if session.transaction_here() is not None:
        raise InvalidInputError("permissions of a folder are not part of a transaction; protect it after the block")
    _refuse_powerless(root, wanted)

    def operation(changes: Changes) -> None:
        row = changes.draft.find(NamespaceRecord.kind, session.namespace) or next(
            iter(changes.draft.children(NamespaceRecord.kind)), None
        )
        if row is None:
            raise NotFoundError(f"nothing was committed in namespace {session.namespace!r} yet; protect it after that")
        details: JsonObject = {"group": wanted.group, "members": wanted.members, "others": wanted.others}
        changes.note(row, action="protect", details=details)

    session.change(operation)
    session.store.put(MARK, wanted.to_bytes())


def _folder(session: Session) -> str:
    """The namespace's folder, if it is one that has permissions."""
    store = session.store
    if not isinstance(store, LocalStore) or not POSIX:
        raise InvalidInputError(
            f"{session.root.uri} has no permissions of folders: say who may do what where it lies, such as in the "
            f"policy of the bucket, for namespaces/{Path(store.uri).name}/"
        )
    if not os.path.isdir(store.uri):
        raise NotFoundError(f"nothing was committed in namespace {session.namespace!r} yet; protect it after that")
    return store.uri


def _wanted(root: str, namespace: str, group: str | int | None, members: str | None, others: str | None) -> Protection:
    """The protection that is asked for; what is left out stays as it is."""
    present = protection_of(root)
    if group is None and present is None:
        raise InvalidInputError(f"namespace {namespace!r} is not protected yet: name the group that may enter it")
    name = present.group if group is None and present is not None else _group(group)
    wanted = Protection(
        name,
        _one_of(members, "members", MEMBERS, "write" if present is None else present.members),  # type: ignore[arg-type]
        _one_of(others, "others", OTHERS, "none" if present is None else present.others),  # type: ignore[arg-type]
    )
    if group is not None and wanted.gid is None:
        raise InvalidInputError(f"this machine has no group {name!r}; `getent group` lists those that there are")
    return wanted


def _group(group: object) -> str:
    if isinstance(group, int) and not isinstance(group, bool) and 0 <= group < 2**32 - 1:
        return str(group)
    name = check_name(group, what="group")
    if name.isdecimal() and not (name.isascii() and len(name) <= 10 and int(name) < 2**32 - 1):
        raise InvalidInputError(f"group is {shown_value(group)}, which is no number of a group")
    return name


def _one_of(value: object, what: str, allowed: tuple[str, ...], otherwise: str) -> str:
    if value is None:
        return otherwise
    if not isinstance(value, str) or value not in allowed:
        raise InvalidInputError(f"{what} is {shown_value(value)}; it must be {' or '.join(map(repr, allowed))}")
    return value


def _refuse_powerless(root: str, wanted: Protection) -> None:
    """Raise if the operating system will not let this process give the folder to the group."""
    user, status = os.geteuid(), os.stat(root)
    if user == 0:
        return
    if status.st_uid != user:
        raise ReadOnlyError(
            f"{root} belongs to the user {status.st_uid}, and only that one or root may change its permissions"
        )
    if wanted.gid not in (status.st_gid, os.getegid(), *os.getgroups()):
        raise ReadOnlyError(
            f"may not give {root} to the group {wanted.group!r}: its owner is no member; have root do it"
        )


def _barriers(root: str, wanted: Protection) -> Iterator[PathFault]:
    """Folders above which keep the group from reaching the namespace, and a registry's file that it may not read."""
    registry = Path(root).parents[1]
    for folder in Path(root).parents:
        if not _permits(folder, wanted, 0o1):
            yield PathFault(str(folder), f"does not let the group {wanted.group!r} pass; chmod g+x or o+x it")
    if not _permits(registry / "localreg.json", wanted, 0o4):
        yield PathFault(str(registry / "localreg.json"), f"cannot be read by the group {wanted.group!r}")


def _permits(path: Path, wanted: Protection, bit: int) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    shift = 3 if status.st_gid == wanted.gid else 0
    return bool(stat.S_IMODE(status.st_mode) >> shift & bit)
