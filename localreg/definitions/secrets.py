"""What must not be written anywhere: it stays a variable, `${GIT_KEY}`, until it is used."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from localreg.definitions.faults import Path
from localreg.definitions.templates import Environment, Template

__all__ = ["is_secret", "is_secret_name", "literal_fault", "stays_template", "url_fault", "variable_fault"]

_SECRET_NAME = re.compile(r"(^|_)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|SAS)(_|$)", re.IGNORECASE)
_SECRET_QUERY = re.compile(r"(^|[-_])(sig|signature|token|key|secret|password|credential)$", re.IGNORECASE)


def is_secret(path: Path) -> bool:
    """Whether a secret belongs at a place of an entry."""
    return path == ("repository", "access_token") or (path[:1] == ("files",) and path[2:3] == ("credentials",))


def is_secret_name(name: str) -> bool:
    """Whether what goes by a name is likely to be a secret: `api_key`, `apiKey`, `GIT-TOKEN`."""
    return _SECRET_NAME.search(re.sub(r"(?<=[a-z])(?=[A-Z])|[-. ]", "_", name)) is not None


def stays_template(path: Path) -> bool:
    """Whether variables of a place of an entry are kept as they are, and resolved at each use."""
    is_input = path[:1] == ("runtime",) and path[2:3] == ("inputs",) and path[4:5] == ("value",)
    return is_input or is_secret(path)


def literal_fault(template: Template) -> str | None:
    """What is wrong with a secret: it must be nothing but environment variables. The secret itself is not told."""
    is_written = bool(template.literals) or any(each.default for each in template.environment)
    if is_written or template.runtime or not template.parts:
        return "is a secret, which is not written here; put it into an environment variable, and write ${NAME}"
    return None


def variable_fault(variable: Environment) -> str | None:
    """What is wrong with a variable in a place that is stored as it reads."""
    if _SECRET_NAME.search(variable.name):
        return (
            f"would store what ${{{variable.name}}} holds, which is named as a secret; variables stay variables in "
            "access_token, credentials and values of inputs alone"
        )
    return None


def url_fault(url: str, advice: str) -> str | None:
    """What is wrong with an address: it holds a password, a token or a signature."""
    parts = urlsplit(url) if "://" in url else None
    if parts is None:
        return None
    is_web = parts.scheme.rpartition("+")[2] in ("http", "https", "ftp")
    if parts.password or (is_web and parts.username):
        return f"holds a secret before its host; leave it out, and write {advice}"
    if any(_SECRET_QUERY.search(name) for name, value in parse_qsl(parts.query) if value):
        return f"holds a secret behind its ?; leave it out, and write {advice}"
    return None
