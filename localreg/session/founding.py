"""What the first commit of a namespace says first: that the namespace, and perhaps the registry, was made."""

from __future__ import annotations

from localreg.log import Change
from localreg.names import new_id
from localreg.records.models import NamespaceRecord, RegistryRecord
from localreg.session.location import RegistryFile

__all__ = ["founding"]


def founding(file: RegistryFile, namespace: str, *, is_first: bool) -> list[Change]:
    """Those changes.

    Of namespaces first used at once, each may say of the registry that it was made: the same, and none waits for
    another.

    Args:
        file: what the registry's `localreg.json` says.
        namespace: the namespace's name.
        is_first: whether no other namespace has a commit.
    """
    record = NamespaceRecord(id=new_id(), name=namespace, registry=file.registry)
    made = [Change(record.kind, "create", record.id, record.name, after=record.to_json())]
    if is_first:
        registry = RegistryRecord(
            id=file.registry,
            name=file.registry,
            format=file.format,
            commit_mode=file.commit_mode,
            shared=file.shared,
        )
        made.insert(0, Change(registry.kind, "create", registry.id, registry.name, after=registry.to_json()))
    return made
