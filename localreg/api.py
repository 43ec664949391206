"""`localreg.open` and `localreg.use`: from a place's name to a registry."""

from __future__ import annotations

import os
from collections.abc import Mapping

from localreg.errors import InvalidInputError
from localreg.names import shown_value
from localreg.registry import Registry
from localreg.session import open_session
from localreg.session.current import Used, use_session
from localreg.session.location import MODES, checked_location, checked_options, find_location

__all__ = ["open_registry", "use"]


def open_registry(
    uri: str | os.PathLike[str] | None = None,
    *,
    namespace: str = "default",
    actor: str | None = None,
    read_only: bool = False,
    shared: str = "umask",
    storage_options: Mapping[str, object] | None = None,
    commit_mode: str | None = None,
    offline: bool = False,
    signing_key: str | os.PathLike[str] | None = None,
) -> Registry:
    """Open a registry; make it if the folder is absent or empty.

    Args:
        uri: a path, `file://…`, `memory://name`, or another URL that fsspec knows: `s3://bucket/folder`, read-only
            `https://host/folder` and `zip://file.zip`; None = `LOCALREG_URI`, else the nearest `.localreg` upward,
            else `.localreg` here.
        namespace: where names are looked up and made: `team/project`.
        actor: named in the audit log; None = `LOCALREG_ACTOR`, else the login name.
        read_only: refuse every change, and make nothing. A folder without write permission opens so by itself.
        shared: for a registry that is made now: who else may write, `umask`, `group` or `all`.
        storage_options: for fsspec's file system of a remote address: credentials, `endpoint_url`. Never written
            anywhere, nor shown.
        commit_mode: for a registry that is made now: how commits are published; None = what the place proves to allow.
            `single-writer` where it proves nothing: writers then take turns by a lease, weaker than a proof.
        offline: read what this machine's cache holds of a remote registry, and ask nothing of the network. Shows the
            last commit that was read here, not the newest.
        signing_key: file of the private Ed25519 key that signs commits in namespaces that list signers, as `ssh-keygen`
            writes it; None = `LOCALREG_SIGNING_KEY`. An encrypted one takes `LOCALREG_SIGNING_PASSPHRASE`.

    Raises:
        AccessDeniedError: the actor has no role in the namespace. Of a remote registry the first look tells.
        NotFoundError: read-only, and there is no registry.
        InvalidInputError: no place where a registry can lie, a malformed namespace, or a package that is missing.
        FormatError: the folder holds something else, or a registry of a newer format.
        StorageError: the place cannot be reached, refuses the credentials, or (codes `"no_conditional_put"` and
            `"no_commit_mode"`) would let two writers overwrite each other's commits.
    """
    if not isinstance(shared, str) or shared not in MODES:
        raise InvalidInputError(f"shared is {shown_value(shared)}; it must be one of {', '.join(MODES)}")
    location = checked_location(find_location(None) if uri is None else uri)
    return Registry(
        open_session(
            location,
            namespace=namespace,
            actor=actor,
            read_only=read_only,
            shared=shared,
            storage_options=checked_options(storage_options),
            commit_mode=commit_mode,
            offline=offline,
            signing_key=signing_key,
        )
    )


def use(registry: Registry) -> Used:
    """Make a registry the one that class-style workflows use; for good, or within a `with` block.

    Raises:
        InvalidInputError: no open registry.
    """
    if not isinstance(registry, Registry):
        raise InvalidInputError(
            f"use() takes an open registry, not {shown_value(registry)}; write localreg.use(localreg.open(path))"
        )
    return use_session(registry._session)
