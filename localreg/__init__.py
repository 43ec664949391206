"""localreg: a model registry in a directory.

    import localreg

    registry = localreg.open("registry")
    model = registry.create_model("meadow-5", metadata={"framework": "pytorch"})

Everything is loaded when it is first used: `import localreg` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from localreg.version import __version__

if TYPE_CHECKING:
    from localreg.access import PathFault, ProtectionReport
    from localreg.api import open_registry as open
    from localreg.api import use
    from localreg.audit import AuditEvent, Diff, Position, RecordDiff
    from localreg.compare import Comparison, Gate, GateResult
    from localreg.errors import (
        AccessDeniedError,
        AlreadyExistsError,
        ConflictError,
        DefinitionError,
        FormatError,
        IntegrityError,
        InvalidInputError,
        LocalregError,
        NonDeterministicError,
        NotFoundError,
        PolicyError,
        ReadOnlyError,
        StorageError,
        UnknownOutcomeError,
        WorkflowMismatchError,
    )
    from localreg.models import Differences, Model, ModelVersion
    from localreg.query import ListingPage, Result
    from localreg.records.determinism import Determinism, Deviation
    from localreg.records.differences import Difference
    from localreg.records.machines import Machine
    from localreg.registry import Registry
    from localreg.session import Transaction
    from localreg.upkeep import Compacted, CompactReport, DoctorReport, Finding, Garbage, GarbageReport
    from localreg.workflow.bulk.report import BulkReport, RowFault

__all__ = [
    "open",
    "use",
    "Registry",
    "Model",
    "ModelVersion",
    "Transaction",
    "Result",
    "ListingPage",
    "Comparison",
    "Gate",
    "GateResult",
    "BulkReport",
    "RowFault",
    "Determinism",
    "Deviation",
    "Machine",
    "AuditEvent",
    "Position",
    "Diff",
    "RecordDiff",
    "Difference",
    "Differences",
    "CompactReport",
    "Compacted",
    "DoctorReport",
    "Finding",
    "Garbage",
    "GarbageReport",
    "ProtectionReport",
    "PathFault",
    "LocalregError",
    "NotFoundError",
    "AlreadyExistsError",
    "ConflictError",
    "WorkflowMismatchError",
    "NonDeterministicError",
    "DefinitionError",
    "InvalidInputError",
    "ReadOnlyError",
    "AccessDeniedError",
    "PolicyError",
    "StorageError",
    "FormatError",
    "IntegrityError",
    "UnknownOutcomeError",
    "__version__",
]

_HOMES = {
    "open": "localreg.api:open_registry",
    "use": "localreg.api:use",
    "Registry": "localreg.registry:Registry",
    "Model": "localreg.models:Model",
    "ModelVersion": "localreg.models:ModelVersion",
    "Transaction": "localreg.session:Transaction",
    "Result": "localreg.query:Result",
    "ListingPage": "localreg.query:ListingPage",
    "Comparison": "localreg.compare:Comparison",
    "Gate": "localreg.compare:Gate",
    "GateResult": "localreg.compare:GateResult",
    "BulkReport": "localreg.workflow.bulk.report:BulkReport",
    "RowFault": "localreg.workflow.bulk.report:RowFault",
    "Determinism": "localreg.records.determinism:Determinism",
    "Deviation": "localreg.records.determinism:Deviation",
    "Machine": "localreg.records.machines:Machine",
    "AuditEvent": "localreg.audit:AuditEvent",
    "Position": "localreg.audit:Position",
    "Diff": "localreg.audit:Diff",
    "RecordDiff": "localreg.audit:RecordDiff",
    "Difference": "localreg.records.differences:Difference",
    "Differences": "localreg.models:Differences",
    "CompactReport": "localreg.upkeep:CompactReport",
    "Compacted": "localreg.upkeep:Compacted",
    "DoctorReport": "localreg.upkeep:DoctorReport",
    "Finding": "localreg.upkeep:Finding",
    "Garbage": "localreg.upkeep:Garbage",
    "GarbageReport": "localreg.upkeep:GarbageReport",
    "ProtectionReport": "localreg.access:ProtectionReport",
    "PathFault": "localreg.access:PathFault",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'localreg' has no attribute {name!r}")
    module, _, attribute = _HOMES.get(name, f"localreg.errors:{name}").partition(":")
    value = globals()[name] = getattr(import_module(module), attribute)
    if isinstance(value, type):
        value.__module__ = "localreg"  # where users find it, and what they see of it
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
