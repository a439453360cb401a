"""One POST to a webhook: what came of it, in a sentence that never holds the address's secrets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import msgspec

from saltus._version import __version__
from saltus.records import UsageError, content_hash

_REDIRECTS = 3
_LONGEST_WAIT = 300.0  # seconds that a server may ask for
_TRANSIENT = frozenset({408, 425, 429})


class Outcome(msgspec.Struct, frozen=True):
    """What came of one try.

    Attributes:
        result: "delivered", "refused" (asking again would not help) or "later".
        reason: A few words, empty when it was delivered.
        wait: Seconds that the server asks to wait.
    """

    result: Literal["delivered", "refused", "later"]
    reason: str = ""
    wait: float | None = None


class Webhook:
    """An address to which events are posted.

    Attributes:
        name: Scheme and host, without what may be secret: user, path and query.
        id: Hash of the address.
        timeout: Seconds that a try may take in all.

    Args:
        url: http or https.
        timeout: Seconds that a try may take in all.

    Raises:
        UsageError: It is no such address.
    """

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        try:
            parts = urlsplit(url.strip())
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port, parts = "", None, urlsplit("")
        if parts.scheme not in ("http", "https") or not host:
            raise UsageError(
                "--webhook takes an address that begins with http:// or https:// and names a host",
                field="webhook",
            )
        self._url, self.timeout = url.strip(), timeout
        self.name = f"{parts.scheme}://{host}{f':{port}' if port else ''}"
        self.id = content_hash(self._url, length=16)

    def __repr__(self) -> str:
        return f"Webhook({self.name!r})"

    def post(self, body: Mapping[str, Any], *, key: str) -> Outcome:
        """Post one JSON document.

        Args:
            body: The document.
            key: Sent as `Idempotency-Key`; the same for every try at the same event.
        """
        return asyncio.run(self._post(msgspec.json.encode(body), key))

    async def _post(self, data: bytes, key: str) -> Outcome:
        import aiohttp

        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"saltus/{__version__}",
            "Idempotency-Key": key,
        }
        url = self._url
        limit = aiohttp.ClientTimeout(total=self.timeout)
        try:
            async with aiohttp.ClientSession(timeout=limit, trust_env=not _is_local(url)) as session:
                for _ in range(_REDIRECTS + 1):
                    async with session.post(url, data=data, headers=headers, allow_redirects=False) as got:
                        if not 300 <= got.status < 400:
                            return _read(got.status, got.headers)
                        target = urljoin(url, got.headers.get("Location", ""))
                    if not _same_host(url, target):
                        return Outcome("refused", "it redirects to another host, which is not followed")
                    url = target
            return Outcome("refused", f"it redirects more than {_REDIRECTS} times")
        except TimeoutError:
            return Outcome("later", f"no answer within {self.timeout:g} s")
        except aiohttp.InvalidURL:
            return Outcome("refused", "the address cannot be used")
        except (aiohttp.ClientError, OSError) as error:
            return Outcome("later", _why(error))


def _read(status: int, headers: Mapping[str, str]) -> Outcome:
    if 200 <= status < 300:
        return Outcome("delivered")
    if status >= 500 or status in _TRANSIENT:
        try:
            wait = min(max(float(headers.get("Retry-After", "")), 0.0), _LONGEST_WAIT)
        except ValueError:  # not there, or a date
            return Outcome("later", f"status {status}")
        return Outcome("later", f"status {status}", wait)
    return Outcome("refused", f"status {status}")


def _same_host(url: str, target: str) -> bool:
    """Whether a redirect stays on the host, and does not leave encryption behind."""
    try:
        old, new = urlsplit(url), urlsplit(target)
        ports = old.port, new.port
    except ValueError:
        return False
    if new.scheme not in ("http", "https") or old.hostname != new.hostname:
        return False
    if old.scheme == new.scheme:
        return ports[0] == ports[1]
    return new.scheme == "https"


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")


def _why(error: BaseException) -> str:
    """The operating system's words where there are some; an HTTP library's may hold the address."""
    inner = getattr(error, "os_error", None) or error
    words = getattr(inner, "strerror", None)
    return str(words) if words else type(error).__name__
