"""An address of a remote store: what is shown of it, and the file system that fsspec has for it.

Credentials never stay in the address: they move into the options, which are kept in memory only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from localreg.errors import InvalidInputError, LocalregError, NotFoundError
from localreg.names import did_you_mean

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

__all__ = ["Address", "parse_address"]

CONNECT_TIMEOUT_S: Final = 5
ANSWER_TIMEOUT_S: Final = 30

OBJECT_STORES: Final = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})
"""Where a put appears whole, and libraries know how to put only if absent. Whether a store does it, the probe tells."""

READ_ONLY: Final = frozenset({"http", "https", "zip", "tar", "libarchive", "github", "git", "data", "reference"})

_CACHES: Final = frozenset({"simplecache", "filecache", "blockcache", "cached"})
_EXTRAS: Final[dict[str, str]] = {
    **dict.fromkeys(["s3", "s3a"], "s3"),
    **dict.fromkeys(["gs", "gcs"], "gcs"),
    **dict.fromkeys(["abfs", "abfss", "az", "adl"], "azure"),
    **dict.fromkeys(["sftp", "ssh"], "sftp"),
    **dict.fromkeys(["http", "https"], "http"),
}
_USER_AND_PASSWORD: Final = frozenset({"sftp", "ssh", "ftp", "smb"})
_SECRET = re.compile(r"key|secret|token|pass|cred|sas|auth|connection_string|cookie", re.IGNORECASE)
_SHORTEST_SECRET: Final = 4
_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
_OPTIONS: Final = (
    *("endpoint_url", "key", "secret", "token", "anon", "profile", "client_kwargs", "config_kwargs", "account_name"),
    *("account_key", "sas_token", "connection_string", "project", "username", "password", "port", "timeout"),
)
"""Options of the usual places, to suggest one of them."""


@dataclass(frozen=True)
class Address:
    """Where a remote store is.

    Attributes:
        uri: as users are shown it: no password, no token.
        url: as fsspec takes it; no password either.
        protocol: the outermost, such as `s3` or `zip`.
        options: for fsspec's file system, credentials included. Never shown.
    """

    uri: str
    url: str
    protocol: str
    options: Mapping[str, Any] = field(repr=False)

    @property
    def exclusive(self) -> bool:
        """See `Store.exclusive`."""
        return self.protocol in OBJECT_STORES

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written there at all."""
        return self.protocol in READ_ONLY

    @property
    def place(self) -> str:
        """What tells this place from others of the same address: a bucket may be at another endpoint."""
        named = ("endpoint_url", "account_name", "host", "port")
        found = [f"{name}={value}" for name in named for value in _values(self.options, name)]
        return "\n".join([self.uri, *found])

    def connect(self) -> tuple[AbstractFileSystem, str]:
        """A file system of its own, not shared with others in the process, and the path of the root in it.

        Raises:
            InvalidInputError: a package is missing, or an option is not accepted.
            StorageError: the place cannot be reached.
        """
        import fsspec

        try:
            fs, root = fsspec.core.url_to_fs(self.url, **_with_defaults(self.protocol, self.options))
        except LocalregError:
            raise
        except ImportError as error:
            raise self._missing_package(error) from error
        except (TypeError, ValueError, KeyError) as error:
            raise self.unknown_option(error) or InvalidInputError(
                f"cannot open {self.uri}: {self.scrubbed(error)}; correct the address or storage_options"
            ) from error
        except Exception as error:  # every library has its own
            from localreg.storage.answers import answer_of, as_ours

            raise as_ours(error, answer_of(error), self.uri, verb="open", detail=self.scrubbed(error)) from error
        if hasattr(fs, "retries"):
            fs.retries = 1  # asking again is the store's matter: it knows which questions may be asked twice
        return fs, str(root).rstrip("/")

    def scrubbed(self, error: BaseException) -> str:
        """A library's message, cut to a line, without any of the secrets."""
        text = " ".join(str(error).split())[:300]
        for secret in sorted(set(_secrets(self.options)), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def unknown_option(self, error: BaseException) -> InvalidInputError | None:
        """The error to raise if a client library refused an option of the user's; None if it says something else.

        Many take theirs only at the first request, as arguments of a function deep within.
        """
        found = _UNEXPECTED.search(str(error)) if isinstance(error, TypeError) else None
        if found is None or found[1] not in _names(self.options):
            return None
        hint = did_you_mean(found[1], _OPTIONS) or "; correct or remove it"
        return InvalidInputError(
            f"cannot open {self.uri}: storage_options has {found[1]!r}, which {self.protocol}:// does not take{hint}",
            code="unknown_option",
        )

    def _missing_package(self, error: ImportError) -> InvalidInputError:
        extra = _EXTRAS.get(self.protocol)
        step = f"pip install 'localreg-registry[{extra}]'" if extra else f"install what it needs ({error})"
        return InvalidInputError(f"cannot open {self.uri}: {self.protocol}:// needs a package that is missing: {step}")


def parse_address(location: str, options: Mapping[str, Any] | None = None) -> Address:
    """What an address says, its credentials moved into the options.

    Args:
        location: any URL that fsspec knows; `zip://` may be followed by the archive's path directly.
        options: for fsspec; they go before what the address says.

    Raises:
        InvalidInputError: an unknown scheme, a cache of fsspec's, a query, credentials where none can be.
    """
    links, merged = [], dict(options or {})
    for number, link in enumerate(_archive_last(location, merged).split("::")):
        protocol = link.partition("://")[0] if "://" in link else ""
        if protocol or number == 0:
            _refuse_unknown(protocol or link, link)
            _refuse_placeless(protocol, link)
        bare, found = _without_credentials(link)
        for name, value in found.items():
            own = merged if number == 0 else merged.setdefault(protocol, {})
            own.setdefault(name, value)
        links.append(bare)
    url = "::".join(links)
    return Address(url.rstrip("/"), url, links[0].partition("://")[0], merged)


def _archive_last(location: str, options: Mapping[str, Any]) -> str:
    """`zip:///folder/file.zip` as fsspec writes it: the path behind the scheme is of what lies within."""
    scheme, _, rest = location.partition("://")
    if scheme not in ("zip", "tar", "libarchive") or "::" in location or "fo" in options:
        return location
    if os.path.isdir(rest or "."):
        what = f"{rest} is a folder, not an archive; open it by its path" if rest else "it names no archive"
        raise InvalidInputError(f"cannot open {location}: {what}")
    if not os.path.exists(rest):
        raise NotFoundError(f"no archive at {rest}; check the path", code="no_registry")
    return f"{scheme}://::{Path(rest).absolute()}"


def _refuse_placeless(protocol: str, link: str) -> None:
    """`s3://` alone: what libraries say of it has nothing to do with it."""
    rest = link.partition("://")[2]
    if rest.startswith("/") or not rest:
        if protocol in OBJECT_STORES:
            raise InvalidInputError(f"cannot open {link}: it names no bucket; write {protocol}://bucket/folder")
        if protocol in ("http", "https"):
            raise InvalidInputError(f"cannot open {link}: it names no host; write {protocol}://host/folder")


def _without_credentials(link: str) -> tuple[str, dict[str, Any]]:
    scheme, separator, rest = link.partition("://")
    if not separator:
        return link, {}
    if "?" in rest or "#" in rest:
        bare = re.split(r"[?#]", link)[0]
        raise InvalidInputError(
            f"cannot open {_masked(bare)}?…: a folder has no query; give tokens in storage_options", code="query_in_uri"
        )
    host = rest.partition("/")[0]
    user, at, _ = host.rpartition("@")
    if not at or ":" not in user:
        return link, {}
    bare = f"{scheme}://{rest[len(user) + 1 :]}"
    parts = urlsplit(link)
    name, password = unquote(parts.username or ""), unquote(parts.password or "")
    if scheme in _USER_AND_PASSWORD:
        return bare, {"username": name, "password": password}
    if scheme in ("http", "https"):
        return bare, {_BASIC_AUTH: (name, password)}
    raise InvalidInputError(f"cannot open {bare}: give credentials in storage_options, not in the address")


_BASIC_AUTH: Final = "localreg_basic_auth"


def _masked(link: str) -> str:
    return re.sub(r"://[^/@]*@", "://", link)


def _refuse_unknown(protocol: str, link: str) -> None:
    shown = _masked(re.split(r"[?#]", link)[0])
    if protocol in _CACHES:
        raise InvalidInputError(
            f"cannot open {shown}: {protocol} would show an old log; localreg has a cache of its own"
        )
    from fsspec import available_protocols, registry

    if protocol not in available_protocols() and protocol not in registry:
        raise InvalidInputError(
            f"cannot open {shown!r}: {protocol}:// is not supported; use a path, file://, memory://, s3:// or "
            "another scheme that fsspec knows"
        )


def _with_defaults(protocol: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, with short time-outs and without fsspec's listings cache, unless the user says otherwise."""
    merged: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False, **options}
    if protocol in ("s3", "s3a"):
        # One attempt each: a lost answer to a conditional put must come through, not be asked again in silence.
        config = {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "read_timeout": ANSWER_TIMEOUT_S,
            "retries": {"total_max_attempts": 1, "mode": "standard"},
        }
        merged["config_kwargs"] = {**config, **merged.get("config_kwargs", {})}
    elif protocol in ("http", "https"):
        merged["client_kwargs"] = {**_http_client(merged.pop(_BASIC_AUTH, None)), **merged.get("client_kwargs", {})}
    elif protocol in ("sftp", "ssh"):
        merged.setdefault("timeout", CONNECT_TIMEOUT_S)
        merged.pop("use_listings_cache")  # all options go to paramiko, which knows no other
    return merged


def _http_client(auth: tuple[str, str] | None) -> dict[str, Any]:
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=ANSWER_TIMEOUT_S)
    return {"timeout": timeout, **({"auth": aiohttp.BasicAuth(*auth)} if auth else {})}


def _values(options: Mapping[str, Any], name: str) -> Iterator[str]:
    for key, value in sorted(options.items()):
        if isinstance(value, Mapping):
            yield from _values(value, name)
        elif key == name and value is not None:
            yield os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _names(options: Mapping[str, Any]) -> Iterator[str]:
    for key, value in options.items():
        yield key
        if isinstance(value, Mapping):
            yield from _names(value)


def _secrets(options: Mapping[str, Any], *, below: bool = False) -> Iterator[str]:
    for key, value in options.items():
        secret = below or bool(_SECRET.search(str(key)))
        if isinstance(value, Mapping):
            yield from _secrets(value, below=secret)
        elif isinstance(value, tuple | list):
            yield from _secrets({str(number): each for number, each in enumerate(value)}, below=secret)
        elif secret and isinstance(value, str) and len(value) >= _SHORTEST_SECRET:
            yield value
