"""What a definition comes to: one digest over code, files with their paths, and the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from localreg.canonical import JsonValue, canonical, sha256_hex
from localreg.records.definitions import DefinitionRecord

__all__ = ["VERSION_DIGITS", "content_digest", "what_differs"]

VERSION_DIGITS = 12
"""So much of the digest names a version that was given no name."""


def content_digest(
    *,
    repository: Mapping[str, Any] | None,
    code: Mapping[str, Any] | None,
    files: Sequence[Mapping[str, Any]],
    runtime: Mapping[str, Any] | None,
) -> str:
    """The digest of the parts of a `DefinitionRecord`: equal for equal content, whoever registers it, and from where.

    A repository counts by its commit, and by address and branch only as long as nobody knows that; a stored file by
    its bytes, its name and its path, one that is only tracked by its address. What is secret does not count.
    """
    return sha256_hex(canonical(cast(JsonValue, _parts(repository, code, files, runtime))))


def _parts(
    repository: Mapping[str, Any] | None,
    code: Mapping[str, Any] | None,
    files: Sequence[Mapping[str, Any]],
    runtime: Mapping[str, Any] | None,
) -> dict[str, Any]:
    commit = None if repository is None else repository.get("commit")
    asked = None if repository is None else {key: repository.get(key) for key in ("url", "branch", "hash")}
    counted = ("name", "url", "sha256")
    return {
        "repository": asked if commit is None else {"commit": commit},
        "code": None if code is None else code["sha256"],
        "files": sorted(
            ({key: each.get(key) for key in counted} for each in files), key=lambda each: str(each["name"])
        ),
        "runtime": runtime,
    }


def what_differs(one: DefinitionRecord, other: DefinitionRecord) -> list[str]:
    """The parts in which two definitions come to something else: `code`, `files`, `runtime`."""
    parts = [_parts(each.repository, each.code, each.files, each.runtime) for each in (one, other)]
    named = {"repository": "code"}
    return list(dict.fromkeys(named.get(key, key) for key in parts[0] if parts[0][key] != parts[1][key]))
