"""What is understood, and what is shown, of a remote address; and what is made of foreign errors."""

from __future__ import annotations

from typing import Any

import pytest

from localreg.errors import InvalidInputError, ReadOnlyError, StorageError
from localreg.session.location import root_store
from localreg.storage.address import parse_address
from localreg.storage.answers import Answer, answer_of, as_ours

PASSWORD = "hunter2-in-the-tests"


@pytest.mark.parametrize(
    ("location", "uri", "protocol"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b", "s3"),
        ("abfs://box@account.dfs.core.windows.net/r", "abfs://box@account.dfs.core.windows.net/r", "abfs"),
        ("sftp://ana@host:22/r", "sftp://ana@host:22/r", "sftp"),
        (f"sftp://ana:{PASSWORD}@host/r", "sftp://host/r", "sftp"),
        (f"https://ana:{PASSWORD}@host/r", "https://host/r", "https"),
        (f"zip::https://ana:{PASSWORD}@host/r.zip", "zip::https://host/r.zip", "zip"),
    ],
)
def test_an_address_is_shown_without_its_password(location: str, uri: str, protocol: str) -> None:
    address = parse_address(location)
    assert (address.uri, address.protocol) == (uri, protocol)
    assert PASSWORD not in repr(address) + address.place + address.url


def test_a_password_of_the_address_becomes_an_option() -> None:
    assert parse_address(f"sftp://ana:{PASSWORD}@host/r").options == {"username": "ana", "password": PASSWORD}
    found = parse_address(f"zip::sftp://a%40b:{PASSWORD}@host/r.zip", {"sftp": {"username": "own"}}).options
    assert found == {"sftp": {"username": "own", "password": PASSWORD}}


@pytest.mark.parametrize(
    "location",
    [
        f"https://host/r?token={PASSWORD}",
        f"https://ana:{PASSWORD}@host/r?x=1",
        f"s3://bucket/r#{PASSWORD}",
        f"s3://key:{PASSWORD}@bucket/r",
        f"nonsense://ana:{PASSWORD}@host/r",
        f"simplecache::https://ana:{PASSWORD}@host/r",
    ],
)
def test_what_cannot_be_an_address_is_refused_without_showing_secrets(location: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        root_store(location)
    assert PASSWORD not in str(caught.value)


def test_two_endpoints_are_two_places() -> None:
    one, other = (parse_address("s3://b", {"endpoint_url": f"http://{name}"}) for name in "ab")
    assert one.place != other.place
    assert one.uri == other.uri


def test_options_are_for_remote_addresses_alone() -> None:
    for location in ("registry", "file:///registry", "memory://registry"):
        with pytest.raises(InvalidInputError, match="takes none"):
            root_store(location, storage_options={"key": "x"})


def test_messages_of_libraries_are_scrubbed() -> None:
    address = parse_address("s3://b", {"secret": PASSWORD, "client_kwargs": {"aws_session_token": "t0ken"}})
    assert address.scrubbed(ValueError(f"no\n {PASSWORD} nor t0ken")) == "no *** nor ***"


class _Service(Exception):
    """As botocore and Azure raise them."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__("text")
        self.__dict__.update(attributes)


def _boto(code: str, status: int = 400) -> _Service:
    return _Service(response={"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}})


def _caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


class NoCredentialsError(Exception):
    """Known by its name."""


class EndpointConnectionError(Exception):
    """Says nothing by itself: it stands for refused connections and for cut ones."""


class ClientConnectorError(OSError):
    """No connection was made."""


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (FileExistsError(), Answer.EXISTS),
        (_caused(OSError(22, "x"), _boto("PreconditionFailed", 412)), Answer.EXISTS),
        (_Service(status_code=412), Answer.EXISTS),
        (_Service(error_code="BlobAlreadyExists", status_code=409), Answer.EXISTS),
        (FileNotFoundError(), Answer.ABSENT),
        (_Service(status=404), Answer.ABSENT),
        (_caused(FileNotFoundError(), _boto("NoSuchBucket", 404)), Answer.NO_BUCKET),
        (_caused(PermissionError(), _boto("403", 403)), Answer.FORBIDDEN),
        (_caused(PermissionError(), _boto("InvalidAccessKeyId", 403)), Answer.CREDENTIALS),
        (NoCredentialsError(), Answer.CREDENTIALS),
        (_Service(code="401"), Answer.CREDENTIALS),
        (_caused(OSError(16, "x"), _boto("SlowDown", 503)), Answer.BUSY),
        (_caused(OSError(5, "x"), _boto("ConditionalRequestConflict", 409)), Answer.BUSY),
        (_boto("NotImplemented", 501), Answer.UNSUPPORTED),
        (_caused(EndpointConnectionError(), ClientConnectorError()), Answer.UNREACHABLE),
        (ConnectionRefusedError(), Answer.UNREACHABLE),
        (_caused(EndpointConnectionError(), ConnectionResetError()), Answer.LOST),
        (_boto("InternalError", 500), Answer.LOST),
        (TimeoutError(), Answer.LOST),
        (ValueError(), Answer.LOST),
    ],
)
def test_an_error_is_read_by_the_most_telling_link_of_its_chain(error: BaseException, answer: Answer) -> None:
    assert answer_of(error) is answer


def test_errors_that_cause_each_other_end() -> None:
    one = ValueError()
    other = _caused(ValueError(), one)
    one.__cause__ = other
    assert answer_of(one) is Answer.LOST


@pytest.mark.parametrize("answer", [each for each in Answer if each not in (Answer.EXISTS, Answer.ABSENT)])
@pytest.mark.parametrize("verb", ["read", "write"])
def test_each_answer_says_what_failed_and_what_to_do(answer: Answer, verb: str) -> None:
    error = as_ours(OSError(), answer, "s3://b/a", verb=verb, detail="their words")
    assert "s3://b/a" in str(error)
    assert "(their words)" in str(error)
    assert "; " in str(error)
    if (answer, verb) == (Answer.FORBIDDEN, "write"):
        assert isinstance(error, ReadOnlyError)
    else:
        assert isinstance(error, StorageError)
        assert (error.code == "doubtful") == ((answer, verb) == (Answer.LOST, "write"))
