"""A reader of registries made from `localreg/FORMAT.md` alone: it imports nothing of localreg.

python tests/compat/independent_reader.py <registry> [namespace]
"""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Collection, Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

OPENSSH = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"


class Row(NamedTuple):
    parent: str
    name: str
    id: str
    record: dict[str, Any]
    created: tuple[int, int, str]
    updated: tuple[int, int]


class Namespace:
    """One namespace, every digest checked on the way; an `AssertionError` tells of damage."""

    def __init__(self, registry: Path, name: str = "default") -> None:
        said = json.loads((registry / "localreg.json").read_bytes())
        assert said["least_reader"] <= 1, "a newer format"
        self.folder = registry / "namespaces" / name.replace("/", ".")
        self.digest = sha256((said["registry"] + name).encode()).hexdigest()
        self.audit: list[dict[str, Any]] = []
        self.rows: dict[tuple[str, str], Row] = {}
        self.void: list[int] = []
        imported = False
        for commit in count(1):
            path = self.folder / f"log/{commit:020d}.parquet"
            if not path.exists():
                break
            signers = {row.record["key"].split()[1] for row in self.of("signer")}
            if signers and not self.is_signed(path, commit, signers):
                self.void.append(commit)
                continue
            rows = pq.read_table(path, partitioning=None).to_pylist()
            if commit == 1 and self.digest != (begun := self.began(rows)):
                imported, self.digest = True, begun
            if commit == 1:
                self.genesis = self.digest
            for event, row in enumerate(rows, 1):
                self.audit.append(self.checked(row, commit, event))
                assert self.audit[-1]["events"] == len(rows), "altered"
                self.fold(self.audit[-1])
        needed = {row.name for row in self.of("feature") if row.record.get("needed_by") != "writers"}
        assert needed <= {"imported", "signers"}, "a newer writer"
        if imported or "imported" in needed:
            said_last = max(self.of("namespace"), key=lambda row: row.updated)
            assert "imported" in needed, "swapped"
            assert (said_last.record["registry"], said_last.name) == (said["registry"], name), "swapped"

    @staticmethod
    def began(rows: list[dict[str, Any]]) -> str:
        """The genesis digest of a log by its first entry."""
        previous: str = json.loads(rows[0]["record"])["previous"]
        for row in rows:
            if json.loads(row["record"])["kind"] == "namespace" and row["payload"]:
                after = json.loads(row["payload"])["after"]
                assert sha256((after["registry"] + after["name"]).encode()).hexdigest() == previous, "swapped"
        return previous

    def is_signed(self, path: Path, commit: int, signers: Collection[str]) -> bool:
        """Whether an entry counts where signers are listed; their keys as OpenSSH writes them."""
        try:
            last = pq.read_table(path, partitioning=None).to_pylist()[-1]
            kind, key, signature = (last["signature"] or "").split(":")
            said = f"localreg entry 1\n{self.genesis}\n{commit}\n{last['digest']}\n".encode()
            Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), said)
        except (OSError, ValueError, KeyError, IndexError, InvalidSignature):
            return False
        return kind == "ed25519" and b64encode(OPENSSH + bytes.fromhex(key)).decode() in signers

    def checked(self, row: dict[str, Any], commit: int, event: int) -> dict[str, Any]:
        record, payload = json.loads(row["record"]), row["payload"] or ""
        assert row["digest"] == sha256(bytes.fromhex(self.digest) + row["record"].encode()).hexdigest(), "altered"
        assert record["previous"] == self.digest, "swapped"
        assert (row["commit"], row["event"]) == (record["commit"], record["event"]) == (commit, event), "swapped"
        assert not payload or sha256(payload.encode()).hexdigest() == record["payload"], "altered"
        self.digest = row["digest"]
        emptied = {"after": None, "before": None, "message": None}
        return {**record, **(json.loads(payload) if payload else emptied), "digest": row["digest"]}

    def fold(self, event: dict[str, Any]) -> None:
        condemned = event["action"] == "condemn"
        for file in event.get("files", ()):
            if condemned:
                self.rows.pop(("file", file["path"]), None)
            self.put(event, "condemned_file" if condemned else "file", file["path"], file["owner"], file["path"], file)
        assert event["effect"] in (["none"] if condemned else ["none", "put", "remove"]), "a newer writer"
        if event["effect"] == "put":
            after = event["after"] or {"id": event["id"], "name": event["name"]}
            self.put(event, event["kind"], event["id"], event["parent"], event["name"], after)
        elif event["effect"] == "remove":
            self.rows.pop((event["kind"], event["id"]), None)

    def put(self, event: dict[str, Any], kind: str, id: str, parent: str, name: str, record: dict[str, Any]) -> None:
        old = self.rows.get((kind, id))
        made = event if "file" in kind else event.get("details", {}).get("created", event)
        created = old.created if old else (made["commit"], made["event"], id if "file" in kind else "")
        self.rows[kind, id] = Row(parent, name, id, record, created, (event["commit"], event["event"]))

    def of(self, kind: str, parents: Collection[str] | None = None) -> list[Row]:
        rows = [row for (its_kind, _), row in self.rows.items() if its_kind == kind]
        return sorted((row for row in rows if parents is None or row.parent in parents), key=lambda row: row.created)

    def models(self) -> dict[str, dict[str, Any]]:
        """By name, in order of creation: metadata, tags, versions, and the version that each alias points to."""
        version = {row.id: row.name for row in self.of("model_version")}
        return {
            model.name: {
                "metadata": model.record.get("metadata", {}),
                "tags": model.record.get("tags", []),
                "versions": [row.name for row in self.of("model_version", [model.id])],
                "aliases": {row.name: version[row.record["version"]] for row in self.of("alias", [model.id])},
            }
            for model in self.of("model")
        }

    def part_rows(self, table: str, owners: Collection[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Rows of the parts of a table, each with its true `sample_idx`."""
        for file in (row.record for row in self.of("file", owners) if row.record["table"] == table):
            path, first, staged = self.folder / file["path"], file["details"]["first"], file["details"]["staged_first"]
            assert sha256(path.read_bytes()).hexdigest() == file["sha256"], "altered"
            for row in pq.read_table(path, partitioning=None).to_pylist():
                index = row.get("sample_idx", 0)
                yield index + (first - staged if index >= staged else 0), row

    def inferences(self, model: str) -> list[dict[str, Any]]:
        """Of a model's newest version, in order of the samples: sample, status, inference."""
        record = next(row for row in self.of("model") if row.name == model)
        newest = self.of("model_version", [record.id])[-1]
        samples = [row["sample"] for _, row in self.part_rows("test_samples", [record.record["workflow"]])]
        made = dict(self.part_rows("inferences", [run.id for run in self.of("test_run", [newest.id])]))
        return [
            {"sample": samples[index], "status": made[index]["status"], "inference": made[index]["inference"]}
            for index in sorted(made)
        ]

    def ground_truths(self, case: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Of a test case's newest version, in order of adding: (sample, ground truth)."""
        record = next(row for row in self.of("test_case") if row.name == case)
        newest = self.of("test_case_version", [record.id])[-1]
        samples = [row["sample"] for _, row in self.part_rows("test_samples", [record.record["workflow"]])]
        return [(samples[index], row["ground_truth"]) for index, row in self.part_rows("ground_truths", [newest.id])]


if __name__ == "__main__":
    print(json.dumps(Namespace(Path(sys.argv[1]), *sys.argv[2:]).models(), indent=2, ensure_ascii=False))
