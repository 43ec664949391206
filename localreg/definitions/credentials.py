"""A secret as options of fsspec, by the kind of place that it opens.

| place | one text is |
|---|---|
| `s3` | `key:secret`, or `key:secret:token` |
| `gs`, `gcs` | the path of a key file, or its JSON |
| `az`, `abfs`, `abfss`, `adl` | a connection string, or a SAS token |
| `http`, `https` | a token, sent as `Authorization: Bearer` |
| `sftp`, `ssh`, `ftp`, `smb` | the password |

For any place a JSON object is the options themselves, and so is a mapping in the definition.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from localreg.errors import InvalidInputError

__all__ = ["storage_options"]


def storage_options(url: str, credentials: str | Mapping[str, str]) -> dict[str, object]:
    """The options for a place.

    Args:
        url: of the place.
        credentials: as resolved; never shown.

    Raises:
        InvalidInputError: one text does not say enough for this kind of place; the text is not told.
    """
    if isinstance(credentials, Mapping):
        return dict(credentials)
    options = _json_object(credentials)
    protocol = url.partition("://")[0].rpartition("::")[2]
    if protocol in ("gs", "gcs"):
        return {"token": options or credentials}
    if options is not None:
        return options
    if protocol in ("az", "abfs", "abfss", "adl"):
        return {"connection_string" if "AccountKey=" in credentials else "sas_token": credentials}
    if protocol in ("s3", "s3a"):
        names = ("key", "secret", "token")
        parts = credentials.split(":", 2)
        if len(parts) > 1:
            return dict(zip(names, parts, strict=False))
    elif protocol in ("http", "https"):
        return {"headers": {"Authorization": f"Bearer {credentials}"}}
    elif protocol in ("sftp", "ssh", "ftp", "smb"):
        return {"password": credentials}
    raise InvalidInputError(
        f"one text does not open a place of kind {protocol!r}; write a mapping of options of fsspec, such as "
        "{key: ${KEY}, secret: ${SECRET}}"
    )


def without_values(text: str, options: Mapping[str, object]) -> str:
    """A text of others without what options say, however deep that stands: neither values nor keys."""
    for each in sorted(set(_texts(options)), key=len, reverse=True):
        text = text.replace(each, "…") if len(each) > 2 else text
    return text


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield str(key)
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif value is not None:
        yield str(value)


def _json_object(text: str) -> dict[str, object] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
