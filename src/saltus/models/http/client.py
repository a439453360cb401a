"""Sends one try over a kept-alive connection, by aiohttp, with a deadline that costs next to nothing.

aiohttp's own timeouts set and cancel a timer for each request; here one reaper looks after all tries.
"""

from __future__ import annotations

import asyncio
import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from saltus.models.http.answers import Events
from saltus.models.http.problems import RejectedError, TryFailedError, check_status, http_now
from saltus.records.errors import MissingExtraError

if TYPE_CHECKING:
    import aiohttp

_LARGE = 1 << 20  # bytes; aiohttp wants larger bodies as a file
_TO_CONNECT = 30.0  # seconds
_KEPT_ALIVE = 60.0  # seconds


class Got:
    """What came back: a body, or the events of a stream."""

    __slots__ = ("body", "events", "first")

    def __init__(self, body: bytes, events: Events | None = None, first: float = 0.0) -> None:
        self.body, self.events, self.first = body, events, first


class Client:
    """A session with one server, in one event loop.

    Args:
        base: URL of the API.
        key: Sent as a bearer token when there is one.
        timeout: Seconds that a try may take.
        deadline: Seconds that a request may take, where that is said.
        local: Whether the server is on this machine, where no proxy is used.
    """

    def __init__(self, base: str, *, key: str, timeout: float, deadline: float | None, local: bool) -> None:
        aiohttp, url = _require_aiohttp()
        self._aiohttp = aiohttp
        self._base, self._key, self._timeout = base, key, timeout
        self._look_every = min(1.0, max(0.01, min(timeout, deadline or timeout) / 20))
        self._url = url
        self._urls: dict[str, Any] = {}
        self._loop = asyncio.get_running_loop()
        self._tries: dict[asyncio.Task[Any], float] = {}  # when each is overdue
        self._overdue: set[asyncio.Task[Any]] = set()
        self._reaper = asyncio.create_task(self._reap())
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._post_arguments: dict[str, Any] = {"allow_redirects": False}
        if proxy := None if local else _proxy(base):
            self._post_arguments["proxy"] = proxy
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_ALIVE),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(timeout, _TO_CONNECT)),
            headers=headers,
            skip_auto_headers=("Accept-Encoding", "Accept"),
        )

    async def post(
        self, endpoint: str, data: bytes, *, stream: bool = False, until: float | None = None
    ) -> Got:
        """Send a request.

        Args:
            endpoint: Below the base URL.
            data: JSON.
            stream: Whether events may come back.
            until: When to give up, on the loop's clock, if that is earlier than the timeout.

        Raises:
            TryFailedError: No answer, or one that may be better next time.
            RejectedError: The server refuses the request.
        """
        return await self._guarded("POST", endpoint, data, stream=stream, until=until)

    async def get(self, endpoint: str) -> bytes:
        """Fetch something; raises as `post` does."""
        return (await self._guarded("GET", endpoint, None, stream=False, until=None)).body

    async def close(self) -> None:
        """Close all connections."""
        self._reaper.cancel()
        with suppress(asyncio.CancelledError):
            await self._reaper
        await self._session.close()

    async def _guarded(
        self, method: str, endpoint: str, data: bytes | None, *, stream: bool, until: float | None
    ) -> Got:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - coroutines run in tasks
        sent = self._loop.time()
        end = sent + self._timeout
        self._tries[task] = end if until is None or until > end else until
        aiohttp = self._aiohttp
        try:
            return await self._send(method, endpoint, data, stream=stream, sent=sent)
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            self._overdue.discard(task)
            task.uncancel()
            waited = self._loop.time() - sent
            raise TryFailedError(f"no answer within {waited:.3g} seconds", pushes_back=True) from None
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as error:
            raise RejectedError(
                0, self._safe(f"the server's certificate is not accepted ({error})")
            ) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise TryFailedError(self._safe(f"no connection ({_reason(error)})"), unreachable=True) from None
        except aiohttp.ClientPayloadError:
            raise TryFailedError("the answer was cut off") from None
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise TryFailedError(self._safe(f"the connection broke ({_reason(error)})")) from None
        finally:
            del self._tries[task]

    async def _send(
        self, method: str, endpoint: str, data: bytes | None, *, stream: bool, sent: float
    ) -> Got:
        url = self._urls.get(endpoint)
        if url is None:
            url = self._urls[endpoint] = self._url(self._base + endpoint)
        payload = io.BytesIO(data) if data is not None and len(data) > _LARGE else data
        response = await self._session._request(method, url, data=payload, **self._post_arguments)
        if stream and response.status == 200 and response.content_type == "text/event-stream":
            return await self._read_events(response, sent)
        body = await response.read()
        if response.status != 200:
            try:
                check_status(response.status, response.headers, body, http_now())
            except (TryFailedError, RejectedError) as error:
                error.args = (self._safe(str(error)),)
                if isinstance(error, RejectedError):
                    error.said = self._safe(error.said)
                raise
        return Got(body)

    async def _read_events(self, response: aiohttp.ClientResponse, sent: float) -> Got:
        events, first = Events(), 0.0
        try:
            async for data in response.content.iter_any():
                events.feed(data)
                if events.begun and not first:
                    first = self._loop.time() - sent
        finally:
            response.close() if not response.content.is_eof() else response.release()
        return Got(b"", events, first)

    async def _reap(self) -> None:
        """Cancel what is overdue."""
        while True:
            await asyncio.sleep(self._look_every)
            now = self._loop.time()
            for task, end in list(self._tries.items()):
                if now >= end and task not in self._overdue:
                    self._overdue.add(task)
                    task.cancel()

    def _safe(self, text: str) -> str:
        """What a server or a library says may repeat the key."""
        return text.replace(self._key, "***") if self._key else text


def _reason(error: BaseException) -> str:
    inner = getattr(error, "os_error", error)
    number = getattr(inner, "errno", None) or 0
    text = os.strerror(number) if number > 0 else str(inner)
    return text or type(error).__name__


def _proxy(base: str) -> str | None:
    """The proxy that the environment names for a server, looked up once."""
    parts = urlsplit(base)
    if proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)


def _require_aiohttp() -> tuple[Any, Any]:
    try:
        import aiohttp
        from yarl import URL
    except ImportError as error:
        raise MissingExtraError(
            "models behind HTTP need aiohttp, which is not installed; install it with: pip install aiohttp"
        ) from error
    return aiohttp, URL
