"""Access by namespace: grants, which are a guard, and the folder's permissions, which the operating system enforces."""

from localreg.access.grants import grant, revoke

__all__ = ["grant", "revoke"]
