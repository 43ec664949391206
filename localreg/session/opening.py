"""Opening a registry's namespace: where, as whom, in which mode, and whether it may be written."""

from __future__ import annotations

import os
from collections.abc import Mapping

from localreg.names import check_name, check_namespace
from localreg.session.location import (
    SINGLE_WRITER,
    RegistryFile,
    bound,
    check_commit_mode,
    find_location,
    noted,
    open_or_make,
    root_store,
)
from localreg.session.proof import Proof
from localreg.session.session import Session
from localreg.session.signing_key import KeySource
from localreg.storage import Store

__all__ = ["open_session"]


def _default_actor() -> str:
    """`LOCALREG_ACTOR`, else the user's login name."""
    named = os.environ.get("LOCALREG_ACTOR")
    if named:
        return named
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a passwd entry
        return "unknown"


def open_session(
    uri: str | os.PathLike[str] | None = None,
    *,
    namespace: str = "default",
    actor: str | None = None,
    read_only: bool = False,
    shared: str = "umask",
    storage_options: Mapping[str, object] | None = None,
    commit_mode: str | None = None,
    offline: bool = False,
    make: bool = True,
    admit: bool = True,
    signing_key: str | os.PathLike[str] | KeySource | None = None,
) -> Session:
    """Open a registry's namespace; make the registry if there is none. See `localreg.open`.

    Without `make` none is made; without `admit` an actor without a role in the namespace is not refused yet.
    """
    namespace = check_namespace(namespace)
    location = find_location(uri)
    place = root_store(location, shared=shared, storage_options=storage_options, offline=offline)
    check_commit_mode(commit_mode, remote=place.remote)
    actor = _default_actor() if actor is None else check_name(actor, what="actor")
    key = signing_key if isinstance(signing_key, KeySource) else KeySource(signing_key)

    def session_of(file: RegistryFile, made: bool) -> Session:
        root = bound(place, location, file)
        if file.writable:
            root = root.publishing(file.commit_mode)
        why = "it was opened offline" if offline else _why_read_only(root, file, read_only)
        return Session(root, file, namespace, actor=actor, read_only=why, proof=Proof(root, made=made), key=key)

    known = None if offline else noted(place, commit_mode)
    if known is not None:
        session = session_of(known, made=False)
        if session.log.is_as_seen():  # what it chains on is the registry's id: one request tells what two would
            return session
    found = open_or_make(place, make=make and not read_only, shared=shared, commit_mode=commit_mode, offline=offline)
    session = session_of(*found)
    return session.admit() if admit else session


def _why_read_only(root: Store, file: RegistryFile, asked: bool) -> str:
    if asked:
        return "it was opened read-only"
    if not file.writable:
        return "it was made by a newer localreg, which this release can read but not write; upgrade"
    if root.remote and not root.writable():
        return "such an address can only be read; copy the registry to a place that can be written to"
    if not root.exclusive and file.commit_mode != SINGLE_WRITER:
        return "such a place cannot create files only if absent, so two writers would overwrite each other's commits"
    return ""
