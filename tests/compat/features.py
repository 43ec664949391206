"""A small registry whose namespaces use what older releases of format 1 refuse: signers, imports; and garbage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import localreg
from localreg import Registry
from tests.compat.everything import plain, rows_of
from tests.signing import LogFolder, key_file, public_text

__all__ = ["NAMESPACES", "answers", "build"]

NAMESPACES = ("signed", "imported", "tidied")


def build(folder: Path, beside: Path) -> Registry:
    """Make it; keys and what is imported lie beside it."""
    signed = localreg.open(folder, namespace="signed", actor="ana", signing_key=key_file(beside, "ana"))
    _signed(signed)
    _imported(folder, beside / "elsewhere")
    _tidied(localreg.open(folder, namespace="tidied", actor="ana"))
    return signed


def _signed(registry: Registry) -> None:
    """Two signers, one of whom is removed, and two entries that count for nothing."""
    registry.create_model("before", metadata={"signed": False})
    for name in ("ana", "ben"):
        registry.add_signer(name, public_text(name))
    registry.create_model("after", metadata={"signed": True})
    log = LogFolder(registry)
    log.write(log.last + 1, log.forged("eve", after=log.last, number=log.last + 1))
    log.write(log.last + 1, b"garbage")
    registry.remove_signer("ben")
    for number in range(8):
        registry.get_model("after").update(metadata={"number": number})
    registry.snapshot()
    registry.create_model("last")


def _imported(folder: Path, elsewhere: Path) -> None:
    """A namespace that was begun in another registry, under another name."""
    original = localreg.open(elsewhere, namespace="origin", actor="eve")
    original.create_model("brought along").upload(b"weights", name="weights")
    with localreg.open(folder, actor="ana") as target:
        original.copy(target, name="imported")
        target.namespace("imported").create_model("made here")
        target.namespace("imported").snapshot()


def _tidied(registry: Registry) -> None:
    """Files that were condemned, and deleted."""
    for name in ("kept", "given up"):
        registry.create_model(name).upload(name.encode(), name="weights")
    registry.get_model("given up").delete()
    registry.retain(deleted="0s", dry_run=False)
    registry.gc(grace="0s", dry_run=False)


def answers(registry: Registry) -> dict[str, Any]:
    """What the library says of a namespace, as plain JSON."""
    tables = ("models", "signers", "artifacts", "audit_events")
    return {
        "commit": registry.commit,
        "tables": {name: rows_of(registry.sql(f"FROM {name}")) for name in tables},
        "void": [plain(each.commit) for each in registry.void_entries()],
        "condemned": sorted(row.name for row in registry._session.state().rows("condemned_file")),
    }
