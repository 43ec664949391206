"""Access by namespace: grants, which are a guard; permissions of the folder, and signatures, which are none."""

from localreg.access.grants import grant, revoke
from localreg.access.protection import PathFault, ProtectionReport, protect
from localreg.access.signers import add_signer, remove_signer, void_entries
from localreg.session.signing_key import make_key

__all__ = [
    "PathFault",
    "ProtectionReport",
    "add_signer",
    "grant",
    "make_key",
    "protect",
    "remove_signer",
    "revoke",
    "void_entries",
]
