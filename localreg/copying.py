"""Copies of a registry's namespaces: backups and mirrors, and what comes from other registries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from localreg.errors import InvalidInputError
from localreg.names import check_flag, check_namespace, check_text
from localreg.session import Session
from localreg.session.location import checked_location, checked_options, root_store

if TYPE_CHECKING:
    from localreg.copies import CopyReport, ImportReport
    from localreg.copies.suites import SuiteCopyReport

__all__ = ["Copying"]


class Copying:
    """How a `Registry` gives its namespaces to other places, and takes in those of others."""

    _session: Session

    def copy(
        self,
        target: str | os.PathLike[str] | Copying,
        *,
        name: str | None = None,
        storage_options: Mapping[str, object] | None = None,
        dry_run: bool = False,
        message: str | None = None,
    ) -> CopyReport:
        """Copy this namespace: its log, entry by entry, and every file that the log names at the commit that is shown.

        Into an absent or empty place it makes a *mirror*: a registry with the id of this one. The same call later
        brings over what is new since, and what was redacted. Into another registry, or under another name, the
        namespace is *imported*: it keeps its history, and goes its own way from there on.

        Each file is compared with its digest while it is copied, and is there before the entry that names it. Others
        may write to this registry meanwhile. If it is interrupted, the same call goes on where it stopped; until it is
        through, nobody reads a half import. Run one copy into a place at a time, and commit nothing in a mirror: `gc`
        there does so only if it finds files of a copy that did not come to its end.

        To copy takes the role of a reader here, and there only that the place can be written to: roles that were
        granted here hold in the copy, too. Where signers are listed, an import is signed, with the key of this registry
        or of the open one that is given; a mirror needs no key.

        Args:
            target: where the registry lies, or will: a path or URL as in `localreg.open`; or an open registry.
            name: of the namespace there; None = as here.
            storage_options: for a remote address, as in `localreg.open`.
            dry_run: only tell how much there is to do.
            message: why; stands with the commits of an import.

        Raises:
            AccessDeniedError: an import has to be signed, and there is no key of a signer. Nothing was copied.
            ConflictError: code `"diverged"`; what is there is no copy of this, or was imported and this has gone on
                since. Nothing was changed there. Code `"redacted_since"`: this handle looks at an earlier commit, of
                which something was redacted since; what comes before that entry was copied.
            FormatError: the place holds something else than a registry.
            IntegrityError: an entry or file here is damaged or missing. Nothing that names it was copied.
            InvalidInputError: the target is this namespace, or lies within this registry.
            NotFoundError: nothing was committed in this namespace.
            ReadOnlyError: nothing may be written there.
            StorageError: a place failed; call again.
        """
        from localreg.copies import copy_namespace, open_target

        source = self._session
        source.committed()
        to = source.namespace if name is None else check_namespace(name)
        only_tell = check_flag(dry_run, what="dry_run")
        why = None if message is None else check_text(message, what="message")
        if isinstance(target, Copying):
            there: Session | None = target._session.at_namespace(to)
            uri = target._session.root.uri
        else:
            uri = _location(target)
            options = checked_options(storage_options)
            there = open_target(source, uri, to, storage_options=options, make=not only_tell)
        if there is not None and not only_tell:
            there.refuse_if_read_only()
        return copy_namespace(source, there, to, uri, dry_run=only_tell, message=why)

    def copy_suite(
        self,
        suite: str,
        target: str | os.PathLike[str] | Copying,
        *,
        namespace: str | None = None,
        storage_options: Mapping[str, object] | None = None,
        reset: bool = False,
        dry_run: bool = False,
        message: str | None = None,
    ) -> SuiteCopyReport:
        """Copy a test suite into another namespace, with its test cases, samples, ground truths and workflow.

        They are new records there, all in one commit, by the recorded schemas: no Python classes are needed. What is
        there already, the workflow, a test case, a sample, is used if it is the same; if all is, nothing is committed.
        Where the suite came from stands in the audit log. Locators of samples stay as they are, and no file behind them
        is copied.

        Args:
            suite: its name, for its newest version; or `name@version`.
            target: where the registry lies, or will: a path or URL as in `localreg.open`; or an open registry.
            namespace: there; None = that at which the target is open, or the one of this handle.
            storage_options: for a remote address, as in `localreg.open`.
            reset: what is there under one of these names, and holds something else, gets a new version.
            dry_run: only tell how much there is to copy.
            message: why; stands with the commit.

        Raises:
            AlreadyExistsError: a test case or suite of that name holds something else, and `reset` is not set. Nothing
                was changed.
            InvalidInputError: the target lies within this registry.
            NotFoundError: there is no such suite or version. No registry was made.
            WorkflowMismatchError: a workflow of that name has other types there.
        """
        from localreg.copies.suites import copy_suite, find_suite

        source = self._session
        only_tell, replaces = check_flag(dry_run, what="dry_run"), check_flag(reset, what="reset")
        why = None if message is None else check_text(message, what="message")
        to = None if namespace is None else check_namespace(namespace)
        options = checked_options(storage_options)
        open_there = target._session if isinstance(target, Copying) else None
        uri = _location(target) if open_there is None else open_there.root.uri
        to = to or (open_there or source).namespace
        original = find_suite(source, suite)  # before a registry is made for it
        there = None
        if not only_tell:
            there = open_there.at_namespace(to) if open_there else _opened_for_suite(source, uri, to, options)
        return copy_suite(original, there, uri=uri, namespace=to, reset=replaces, message=why)

    def import_namespace(
        self, folder: str | os.PathLike[str], *, name: str | None = None, message: str | None = None
    ) -> ImportReport:
        """Make the folder of a namespace of another registry, or of another name, one of this registry.

        Where somebody has copied it into `namespaces/` of this registry, two commits say that it lies here now, once
        all of its chain was checked. Else, and where another name is given, it is copied first, as `copy` does.

        Args:
            folder: the path of a folder, in this registry or anywhere on this machine; or the name of a namespace of
                this registry whose folder was copied there.
            name: of the namespace here; None = that of the folder, `.` standing for `/`.
            message: why; stands with the commits.

        Returns:
            What it was before, and since when it lies here.

        Raises:
            AccessDeniedError: it lists signers, and this process has no key of one. Nothing was committed.
            ConflictError: there is another namespace of that name.
            IntegrityError: the chain does not hold, or a file is missing. Nothing was committed.
            InvalidInputError: no folder of a namespace, and no name of one.
            NotFoundError: there is no log in the folder.
            ReadOnlyError: nothing may be written here.
        """
        from localreg.copies import import_folder, import_namespace

        self._session.refuse_if_read_only()
        given = checked_location(folder, what="folder")
        to = None if name is None else check_namespace(name)
        why = None if message is None else check_text(message, what="message")
        here = _name_of(self._session, given)
        if here is not None and to in (None, here):
            return import_namespace(self._session.at_namespace(here), message=why)
        if here is not None:
            store = self._session.at_namespace(here).store
        else:
            store, to = root_store(given), to or check_namespace(_dotted(given))
        return import_folder(store, self._session.at_namespace(str(to)), message=why)


def _opened_for_suite(source: Session, uri: str, namespace: str, options: Mapping[str, object] | None) -> Session:
    from localreg.copies.target import refuse_within
    from localreg.session import open_session

    refuse_within(source, root_store(uri, storage_options=options))
    return open_session(uri, namespace=namespace, actor=source.actor, storage_options=options, signing_key=source.key)


def _name_of(session: Session, folder: str) -> str | None:
    """The namespace of this registry that a folder is of; None of one that lies elsewhere."""
    if not os.path.isdir(os.path.join(folder, "log")):
        return check_namespace(folder)
    place = os.path.dirname(os.path.realpath(folder))
    is_here = not session.root.remote and place == os.path.realpath(os.path.join(session.root.uri, "namespaces"))
    return check_namespace(_dotted(folder)) if is_here else None


def _dotted(folder: str) -> str:
    return os.path.basename(os.path.realpath(folder)).replace(".", "/")


def _location(target: object) -> str:
    location = checked_location(target, what="target")
    if not location.strip():
        raise InvalidInputError("target is empty; write a path or URL, such as /backup/models or s3://bucket/models")
    return location
