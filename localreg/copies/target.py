"""Where copies go: a registry that is there, or one that is made as a mirror. And folders that are no registry's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from localreg.errors import IntegrityError, InvalidInputError, NotFoundError
from localreg.log import Log, State, fold
from localreg.log.home import begun, belongs_to
from localreg.session import Session, open_session
from localreg.session.location import FORMAT, NAME, RegistryFile, mirror, root_store
from localreg.storage import LocalStore, Store

__all__ = ["elsewhere", "open_folder", "open_target", "refuse_within"]


def open_target(
    source: Session, location: str, namespace: str, *, storage_options: Mapping[str, object] | None, make: bool
) -> Session | None:
    """The namespace of a registry that a copy goes to; nobody is asked for a role there.

    Args:
        source: what is copied.
        location: of the registry; an absent or empty place becomes a mirror.
        namespace: its name there.
        storage_options: as in `localreg.open`.
        make: whether a mirror may be made; if not, None stands for one that is not there.

    Raises:
        FormatError: the place holds something else.
        InvalidInputError: it lies in the registry that is copied.
        ReadOnlyError: nothing may be written there.
        StorageError: the place cannot be reached, or would let two writers overwrite each other's commits.
    """
    try:
        target = _opened(source, location, namespace, storage_options)
    except NotFoundError as error:
        if error.code != "no_registry":
            raise
        place = root_store(location, storage_options=storage_options)
        refuse_within(source, place)
        if not make:
            return None
        mirror(place, _registry_file(source))
        target = _opened(source, location, namespace, storage_options)
    if make:
        target.refuse_if_read_only()
    return target


def refuse_within(source: Session, place: Store) -> None:
    """A registry within the folder of another one is told apart from it by nobody who copies or deletes that folder.

    Raises:
        InvalidInputError: the place lies in the registry that is copied.
    """
    if not (isinstance(source.root, LocalStore) and isinstance(place, LocalStore)):
        return
    registry, folder = Path(source.root.uri).resolve(), Path(place.uri).resolve()
    if folder != registry and folder.is_relative_to(registry):
        raise InvalidInputError(
            f"{place.uri} lies within {source.root.uri}, which is to be copied; copy to another place"
        )


def _registry_file(source: Session) -> bytes:
    data = source.root.get(NAME) or source.root.recall(NAME)
    if data is None:
        raise NotFoundError(f"{source.root.uri}/{NAME} is missing; restore it from a copy", code="no_registry")
    return data


def _opened(source: Session, location: str, namespace: str, options: Mapping[str, object] | None) -> Session:
    return open_session(
        location,
        namespace=namespace,
        actor=source.actor,
        storage_options=options,
        make=False,
        admit=False,
        signing_key=source.key,
    )


def open_folder(store: Store, *, actor: str) -> Session:
    """The folder of a namespace that lies anywhere, read-only: where it belongs is told by its log.

    Raises:
        IntegrityError: its chain does not hold.
        NotFoundError: there is no log in it.
    """
    state = elsewhere(Log(store, "", ""))
    belongs = belongs_to(state)
    if belongs is None:
        raise IntegrityError(f"{store.uri} does not say which namespace it is; restore it from a copy")
    file = RegistryFile(FORMAT, belongs.registry, FORMAT, FORMAT, "link", "umask")
    why = "it is a folder on its own"
    return Session(store, file, belongs.namespace, actor=actor, read_only=why, store=store)


def elsewhere(log: Log) -> State:
    """The newest state of a log that was begun anywhere, from its entries alone: all of its chain is checked.

    Raises:
        IntegrityError: the chain does not hold.
        NotFoundError: there is no entry.
    """
    _require_log(log.store)
    origin = begun(log.store)
    if origin is None:
        raise IntegrityError(
            f"{log.name_of('log')} does not say where it began, or has been altered; restore it from a copy",
            code="entry_altered",
        )
    log.chain_on(origin)
    return fold(State(origin), log.entries(origin))


def _require_log(store: Store) -> None:
    if not any(store.list("log")):
        raise NotFoundError(f"{store.uri} holds no log; copy the folder of a namespace there, with all that is in it")
