"""What a remote store's client library raised, in our words.

Every library under fsspec has its own errors, and most wrap those of two more: an error is judged by the names and
status codes found anywhere along its chain, without importing any of them. What decides is whether the place has
*answered*: a refusal has changed nothing, silence may have.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

from localreg.errors import LocalregError, ReadOnlyError, StorageError

__all__ = ["Answer", "answer_of", "as_ours"]


class Answer(Enum):
    """What an error says."""

    EXISTS = "the file is there already"
    ABSENT = "there is no such file"
    NO_BUCKET = "there is no such bucket or container"
    FORBIDDEN = "access is denied"
    CREDENTIALS = "the credentials are missing, wrong or expired"
    BUSY = "the store is busy"
    UNSUPPORTED = "the store cannot do this"
    NO_ARCHIVE = "it is no archive of this kind, or a damaged one"
    UNREACHABLE = "the store cannot be reached"
    LOST = "the store did not answer"

    @property
    def settled(self) -> bool:
        """Whether nothing can have been changed."""
        return self is not Answer.LOST

    @property
    def passing(self) -> bool:
        """Whether the same question may well be answered when it is asked again."""
        return self in (Answer.BUSY, Answer.LOST)


_CODES: Final[dict[str, Answer]] = {
    **dict.fromkeys(["PreconditionFailed", "BlobAlreadyExists", "ResourceExistsError"], Answer.EXISTS),
    **dict.fromkeys(["NoSuchKey", "BlobNotFound"], Answer.ABSENT),
    **dict.fromkeys(["NoSuchBucket", "ContainerNotFound", "InvalidBucketName"], Answer.NO_BUCKET),
    **dict.fromkeys(["AccessDenied", "AllAccessDisabled", "AuthorizationFailure"], Answer.FORBIDDEN),
    **dict.fromkeys(
        [
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "ExpiredToken",
            "InvalidToken",
            "TokenRefreshRequired",
            "RequestTimeTooSkewed",
            "AuthenticationFailed",
            "NoCredentialsError",
            "PartialCredentialsError",
            "CredentialRetrievalError",
            "TokenRetrievalError",
            "SSOTokenLoadError",
            "ProfileNotFound",
            "ClientAuthenticationError",
            "AuthenticationException",
            "DefaultCredentialsError",
        ],
        Answer.CREDENTIALS,
    ),
    # To a conditional put S3 says "conflict" while another one of the same name is under way: ask again.
    **dict.fromkeys(["SlowDown", "ServiceUnavailable", "ServerBusy", "ConditionalRequestConflict"], Answer.BUSY),
    **dict.fromkeys(["BadZipFile", "HeaderError"], Answer.NO_ARCHIVE),
    **dict.fromkeys(["NotImplemented", "NotImplementedError", "UnsupportedOperation"], Answer.UNSUPPORTED),
    **dict.fromkeys(
        [
            "ClientConnectorError",
            "ClientConnectorDNSError",
            "ConnectTimeoutError",
            "gaierror",
            "ServiceRequestError",
            "NoValidConnectionsError",
            "BadHostKeyException",
        ],
        Answer.UNREACHABLE,
    ),
}
"""Error codes of services, and names of exception classes."""

_STATUSES: Final[dict[int, Answer]] = {
    401: Answer.CREDENTIALS,
    403: Answer.FORBIDDEN,
    404: Answer.ABSENT,
    405: Answer.UNSUPPORTED,
    409: Answer.BUSY,
    410: Answer.ABSENT,
    412: Answer.EXISTS,
    429: Answer.BUSY,
    501: Answer.UNSUPPORTED,
    503: Answer.BUSY,
}

_BUILTINS: Final[dict[type[BaseException], Answer]] = {
    FileExistsError: Answer.EXISTS,
    FileNotFoundError: Answer.ABSENT,
    IsADirectoryError: Answer.ABSENT,
    NotADirectoryError: Answer.ABSENT,
    PermissionError: Answer.FORBIDDEN,
    ConnectionRefusedError: Answer.UNREACHABLE,
    NotImplementedError: Answer.UNSUPPORTED,
}

_NEXT_STEPS: Final[dict[Answer, str]] = {
    Answer.ABSENT: "check the path",
    Answer.NO_ARCHIVE: "check the path, or make the archive again",
    Answer.NO_BUCKET: "make it, or correct the address (and the endpoint and region in storage_options)",
    Answer.FORBIDDEN: "have the permission given to these credentials (stores say so of a missing file, too, where "
    "listing is not permitted)",
    Answer.CREDENTIALS: "give them in storage_options or in the environment, as the store's client library reads them",
    Answer.BUSY: "try again later",
    Answer.UNSUPPORTED: "open it read-only, or keep the registry elsewhere",
    Answer.UNREACHABLE: "check the network, the address and the endpoint in storage_options; what this machine has "
    "read before can be read with localreg.open(..., offline=True)",
    Answer.LOST: "check the network and try again",
}
_WORDS: Final[dict[Answer, str]] = {
    Answer.NO_BUCKET: "no_bucket",
    Answer.FORBIDDEN: "forbidden",
    Answer.CREDENTIALS: "bad_credentials",
    Answer.BUSY: "busy",
    Answer.UNSUPPORTED: "unsupported",
    Answer.UNREACHABLE: "unreachable",
}


def answer_of(error: BaseException) -> Answer:
    """What an error says, by the most telling link of its chain: codes of services, then classes, then statuses."""
    chain = list(_chain(error))
    for names in (map(_service_code, chain), (name for each in chain for name in _class_names(each))):
        for name in names:
            if name in _CODES:
                return _CODES[name]
    for each in chain:
        status = _status(each)
        if status in _STATUSES:
            return _STATUSES[status]
    for each in chain:
        for kind, answer in _BUILTINS.items():
            if isinstance(each, kind):
                return answer
    return Answer.LOST


def as_ours(error: BaseException, answer: Answer, where: str, *, verb: str, detail: str) -> LocalregError:
    """The error to raise.

    Args:
        error: what the library raised.
        answer: what it says.
        where: the file, as shown to people.
        verb: what was tried: `read`, `list`, `write`, `delete`.
        detail: the library's own words, without secrets.
    """
    writing = verb in ("write", "delete")
    said = f" ({detail})" if detail else ""
    if answer is Answer.FORBIDDEN and writing:
        return ReadOnlyError(f"may not {verb} {where}: {answer.value}{said}; open read-only, or {_NEXT_STEPS[answer]}")
    if answer is Answer.LOST and writing:
        return StorageError(
            f"cannot tell whether {where} was {'written' if verb == 'write' else 'deleted'}: {answer.value}{said}; "
            "read it back",
            code="doubtful",
        )
    step = _NEXT_STEPS.get(answer, "try again")
    unchanged = "; nothing was changed" if writing else ""
    return StorageError(
        f"cannot {verb} {where}: {answer.value}{said}{unchanged}; {step}", code=_WORDS.get(answer, "storage")
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def _class_names(error: BaseException) -> Iterator[str]:
    return (kind.__name__ for kind in type(error).__mro__)


def _service_code(error: BaseException) -> str:
    """The word by which a service names its error: botocore's in `response`, Azure's in `error_code`."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return str(response.get("Error", {}).get("Code", ""))
    return str(getattr(error, "error_code", "") or "")


def _status(error: BaseException) -> int:
    """The HTTP status that an error carries, under the names that libraries have for it; 0 if none."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return _whole(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    return next(filter(None, (_whole(getattr(error, name, None)) for name in ("status", "status_code", "code"))), 0)


def _whole(value: object) -> int:
    """A status as a number; some services give it as text."""
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdecimal() else 0
