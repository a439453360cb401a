"""What may go wrong with one try, and what the server says about it in its own words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from saltus.models.http.wire import Problem
from saltus.records.errors import ModelError

_LONGEST = 300  # characters of a server's message
_WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429})
_NEVER_WORTH_IT = frozenset({501, 505})


class TryFailedError(Exception):
    """A try that may go better next time.

    Attributes:
        pushes_back: Whether it says that the server has too much to do.
        throttled: Whether the server did not take the request at all.
        unreachable: Whether there was no connection.
        wait: Seconds that the server asked to wait, None when it did not.
    """

    def __init__(
        self,
        message: str,
        *,
        pushes_back: bool = False,
        throttled: bool = False,
        unreachable: bool = False,
        wait: float | None = None,
    ) -> None:
        super().__init__(message)
        self.pushes_back, self.throttled, self.unreachable = pushes_back, throttled, unreachable
        self.wait = wait


class RejectedError(Exception):
    """The server understood the request and will not answer it, however often it is asked.

    Attributes:
        status: Of HTTP.
        said: The server's own message.
        field: Which field of the request it names, if any.
    """

    def __init__(self, status: int, said: str, field: str = "") -> None:
        super().__init__(f"{status}: {said}" if said else f"status {status} without a message")
        self.status, self.said, self.field = status, said, field


def check_status(status: int, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Raise what a status outside 200 to 299 means.

    Args:
        status: Of HTTP.
        headers: Of the answer.
        body: Of the answer.
        now: Seconds since the epoch, against which a date in `Retry-After` is read.

    Raises:
        TryFailedError: Another try may help.
        RejectedError: It will not.
    """
    if 200 <= status < 300:
        return
    said, field = server_message(body)
    if status in range(300, 400):
        said = said or f"the server sends on to {headers.get('Location', 'another place')}"
    # A used-up account is told by the same status as a request too many.
    retryable = (status in _WORTH_ANOTHER_TRY and b"insufficient_quota" not in body) or status >= 500
    if not retryable or status in _NEVER_WORTH_IT:
        raise RejectedError(status, said, field)
    raise TryFailedError(
        f"{status}: {said}" if said else f"status {status}",
        pushes_back=status == 429 or status >= 500,
        throttled=status == 429,
        wait=retry_after(headers, now) if status in (429, 503) else None,
    )


def cannot_be_reached(base: str, error: TryFailedError) -> ModelError:
    """What to say of a server that is not there."""
    return ModelError(
        f"{base} cannot be reached: {error}; start the server or check the address, then run this again",
        field="location",
    )


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that `Retry-After` asks to wait: a number, or a date of HTTP (RFC 9110, section 10.2.3).

    Examples:
        >>> retry_after({"Retry-After": "7"}, now=0)
        7.0
        >>> retry_after({"Retry-After": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=50)
        10.0
    """
    text = headers.get("Retry-After", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def server_message(body: bytes) -> tuple[str, str]:
    """One line of what a server says, and the field of the request that it names.

    Examples:
        >>> server_message(b'{"error": {"message": "no such model", "param": "model"}}')
        ('no such model', 'model')
    """
    try:
        found: Any = msgspec.json.decode(body, type=Problem)
    except msgspec.MsgspecError:
        return _line(body.decode("utf-8", "replace")), ""
    said = found.error or found.message or found.detail
    if isinstance(said, list) and said:  # FastAPI: one entry for each field that is wrong
        said = said[0]
    if isinstance(said, dict):
        place = said.get("param") or said.get("loc") or ""
        field = str(place[-1] if isinstance(place, list) and place else place)
        return _line(str(said.get("message") or said.get("msg") or said)), field
    return _line(str(said) if said else body.decode("utf-8", "replace")), ""


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def _seconds_until(text: str, now: float) -> float:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return math.nan
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now


def http_now() -> float:
    """Seconds since the epoch."""
    return datetime.now(UTC).timestamp()
