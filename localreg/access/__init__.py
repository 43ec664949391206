"""Access by namespace: grants, which are a guard, and the folder's permissions, which the operating system enforces."""

from localreg.access.grants import grant, revoke
from localreg.access.protection import PathFault, ProtectionReport, protect

__all__ = ["PathFault", "ProtectionReport", "grant", "protect", "revoke"]
