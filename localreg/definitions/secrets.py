"""What must not be written anywhere: it stays a variable, `${GIT_KEY}`, until it is used."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from localreg.definitions.faults import Path
from localreg.definitions.templates import Environment, Template, parsed

__all__ = [
    "input_fault",
    "is_secret",
    "is_secret_name",
    "literal_fault",
    "stays_template",
    "url_fault",
    "variable_fault",
]

_WORDS = "TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|SAS|AUTH|APIKEY|BEARER|PRIVATE"
_SHORT = "PAT|PASS|PWD"
"""Secrets behind another word alone: `DB_PWD`, while `PWD` is a folder, and `PASS` a verdict."""

_SECRET_NAME = re.compile(rf"(^|_)({_WORDS}|KEY)(_|$)|_({_SHORT})(_|$)", re.IGNORECASE)
_SECRET_QUERY = re.compile(
    r"(^|_)(sig|signature|token|key|apikey|secret|password|credential|auth|pat|pass)$", re.IGNORECASE
)

_KEYS = "ACCESS|ACCOUNT|API|AUTH|ENCRYPTION|LICENSE|PRIVATE|SECRET|SIGNING|SSH|SUBSCRIPTION"
"""What makes a key a secret: an input `key`, or `label_key`, mostly names a column."""

_SECRET_INPUT = re.compile(rf"(^|_)({_WORDS}|({_KEYS})_KEY)$|_({_SHORT})$", re.IGNORECASE)
"""At the end alone: `token_type` and `password_file` tell of a secret, and are none."""

_TEXT_TOKEN = re.compile(r"(^|_)(BOS|CLS|EOS|MASK|PAD|SEP|UNK)_TOKEN$", re.IGNORECASE)
_MARKED = re.compile(r"<.*>|\[.*\]", re.DOTALL)
"""Tokens of language models, by their names or as they are written: `<|endoftext|>`, `[MASK]`."""

MIN_SECRET = 8
"""Characters; what is shorter is hardly a secret."""


def is_secret(path: Path) -> bool:
    """Whether a secret belongs at a place of an entry."""
    return path == ("repository", "access_token") or (path[:1] == ("files",) and path[2:3] == ("credentials",))


def is_secret_name(name: str) -> bool:
    """Whether what goes by a name is likely to be a secret: `api_key`, `apiKey`, `GIT-TOKEN`."""
    return _SECRET_NAME.search(_parted(name)) is not None


def _parted(name: str) -> str:
    """A name with `_` between its words."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[-. ]", "_", name)


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
    if is_secret_name(variable.name):
        return (
            f"would store what ${{{variable.name}}} holds, which is named as a secret; variables stay variables in "
            "access_token, credentials and values of inputs alone"
        )
    return None


def input_fault(name: str, value: object) -> str | None:
    """What is wrong with an input: it is named as a secret, and its value is written out. The value is not told.

    Args:
        name: of the input.
        value: as the definition says it, before variables are resolved.
    """
    parts = _parted(name)
    if not isinstance(value, str) or not _SECRET_INPUT.search(parts) or _TEXT_TOKEN.search(parts):
        return None
    try:
        template = parsed(value)
    except ValueError:
        return None  # whoever resolves its variables tells what is wrong with them
    has_variable = any(not isinstance(part, str) for part in template.parts)
    text = "".join(template.literals).strip()
    is_marker = parts.lower().endswith("token") and _MARKED.fullmatch(text)
    if has_variable or len(text) < MIN_SECRET or is_marker:
        return None
    return "is named as a secret and written out; write ${NAME}"


def url_fault(url: str, advice: str) -> str | None:
    """What is wrong with an address: it holds a password, a token or a signature."""
    parts = urlsplit(url) if "://" in url else None
    if parts is None:
        return None
    is_web = parts.scheme.rpartition("+")[2] in ("http", "https", "ftp")
    if parts.password or (is_web and parts.username):
        return f"holds a secret before its host; leave it out, and write {advice}"
    if any(_SECRET_QUERY.search(_parted(name)) for name, value in parse_qsl(parts.query) if value):
        return f"holds a secret behind its ?; leave it out, and write {advice}"
    return None
