"""`localreg signers`: whose signature a namespace takes, and keys to sign with."""

import os
import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from localreg.cli.listing import AllNamespaces, Columns, Limit, OrderBy, Search, Where, one_or_all, shown
from localreg.cli.output import Listing, Rows
from localreg.cli.place import Place, examples, new_group, placed, reading, writing

if TYPE_CHECKING:
    from localreg.registry import Registry

__all__ = ["signers"]

USUAL = ("name", "fingerprint", "created_by", "created_at")

NAME = typer.Argument(metavar="NAME", help="Of the signer, for people.")

signers = new_group(
    "Signers: whose commits the namespace takes; none = everybody's.",
    epilog=examples("localreg signers list", "localreg signers add ana id_ed25519.pub"),
)


@signers.command("list", epilog=examples("localreg signers list", "localreg signers list --columns name,key"))
@reading()
def list_signers(
    registry: "Registry",
    where: Where = None,
    search: Search = None,
    order_by: OrderBy = None,
    limit: Limit = None,
    columns: Columns = None,
    all_namespaces: AllNamespaces = False,
) -> Listing:
    """List those whose signature counts in the namespace; none = it takes what nobody signed."""
    place = one_or_all(registry, all_namespaces)
    found = place.signers(where, search=search, order_by=order_by or None, limit=limit)
    return shown(found, columns, ("namespace", *USUAL) if all_namespaces else USUAL)


@signers.command("add", epilog=examples("localreg signers add ana id_ed25519.pub"))
@writing
def add(
    registry: "Registry",
    name: Annotated[str, NAME],
    key: Annotated[str, typer.Argument(metavar="KEY", help="An Ed25519 .pub file of OpenSSH, or its line.")],
) -> str:
    """Take what somebody signs. The first signer closes the namespace to all who cannot sign.

    The first one is your own key, which $LOCALREG_SIGNING_KEY names. What no signer signed is void from then on,
    whoever writes it into the folder; older releases refuse to open the namespace.
    """
    registry.add_signer(name, key)
    return f"{name!r} signs in namespace {registry.namespace_name!r}"


@signers.command("remove", epilog=examples("localreg signers remove ben"))
@writing
def remove(registry: "Registry", name: Annotated[str, NAME]) -> str:
    """Take what somebody signs no more. What they signed before stays; the last one cannot be removed."""
    registry.remove_signer(name)
    return f"{name!r} signs no more in namespace {registry.namespace_name!r}"


@signers.command("void", epilog=examples("localreg signers void"))
@reading(past=False, tells=True)
def void(registry: "Registry") -> Rows:
    """List the entries of the log that no signer signed, and that changed nothing. All of the log is read."""
    return Rows(
        ("commit", "path", "reason"), [(each.commit, each.path, each.reason) for each in registry.void_entries()]
    )


def _keygen(
    _: Place,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Of the private key; must be absent. FILE.pub is public.")
    ],
) -> None:
    """Make an Ed25519 key to sign with, as `ssh-keygen -t ed25519` does.

    It is encrypted with $LOCALREG_SIGNING_PASSPHRASE or, on a terminal, with what you type; with nothing, it is plain.
    """
    from localreg.access import make_key
    from localreg.session.signing_key import PASSPHRASE

    passphrase = os.environ.get(PASSPHRASE)
    if passphrase is None and sys.stdin.isatty():
        passphrase = typer.prompt(
            "Passphrase (empty = none)", default="", hide_input=True, show_default=False, err=True
        )
    public = make_key(file, passphrase or "")
    path = shlex.quote(os.path.abspath(file))
    print(f"made {file} and {file}.pub; sign with it by `export LOCALREG_SIGNING_KEY={path}`")
    print(public)


signers.command("keygen", epilog=examples("localreg signers keygen key"))(
    placed(_keygen, hidden={"registry", "namespace", "actor", "at"})
)
