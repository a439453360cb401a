"""Who may ask the server: right Host, right Origin, the token where one is needed; and safe headers.

It stands before the routes, so that a page that does not exist is guarded too.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; form-action 'self'; "
    b"base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"content-security-policy", _POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
_METHODS = ("GET", "HEAD", "POST")


class Guard:
    """An ASGI application before another one.

    Args:
        app: What answers when a request may pass.
        hosts: Names that a browser may have found the server by; empty lets any pass, which needs a token.
        token: What each request has to show: in the address once, in a cookie from then on; or empty.
        url: Where raters begin.

    Attributes:
        url: Where raters begin.
    """

    def __init__(self, app: App, *, hosts: Iterable[str], token: str, url: str) -> None:
        self.url = url
        self._app, self._hosts, self._token = app, frozenset(hosts), token
        self._cookie = f"saltus_{urlsplit(url).port}"  # cookies do not know ports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        problem = self._problem(scope["method"], headers)
        if problem:
            await _refuse(send, 403, problem)
        elif not self._token or self._known(headers):
            await self._app(scope, receive, _with_headers(send))
        else:
            await self._admit(scope, send)

    def _problem(self, method: str, headers: dict[str, str]) -> str:
        host = headers.get("host", "")
        if self._hosts and _name(host) not in self._hosts:
            return f"This server does not go by the name {host!r}."
        if method not in _METHODS:
            return f"This server does not know {method}."
        if method == "POST":
            if headers.get("origin") not in (f"http://{host}", f"https://{host}"):
                return "This form was not sent from a page of this server."
            if headers.get("sec-fetch-site", "same-origin") != "same-origin":
                return "This form was sent by another site."
        return ""

    def _known(self, headers: dict[str, str]) -> bool:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return morsel is not None and self._same(morsel.value)

    def _same(self, shown: str) -> bool:
        return secrets.compare_digest(shown.encode(), self._token.encode())

    async def _admit(self, scope: Scope, send: Send) -> None:
        """Take the token out of the address into a cookie, or refuse."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        shown = dict(query).get("token", "")
        if scope["method"] == "POST" or not self._same(shown):
            await _refuse(send, 401, "Open the address with its token, as the server printed it.")
            return
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        path = "/" + scope["path"].lstrip("/")  # two slashes would lead to another server
        where = urlencode({"": path}, safe="/")[1:] + (f"?{rest}" if rest else "")
        cookie = f"{self._cookie}={self._token}; HttpOnly; SameSite=Lax; Path=/"
        headers = [(b"location", where.encode("latin-1")), (b"set-cookie", cookie.encode("latin-1"))]
        await _send(send, 303, headers, b"")


def _name(host: str) -> str:
    """A Host header without its port."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).lower()


def _with_headers(send: Send) -> Send:
    async def sender(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *_HEADERS]}
        await send(message)

    return sender


async def _refuse(send: Send, status: int, text: str) -> None:
    await _send(send, status, [(b"content-type", b"text/plain; charset=utf-8")], text.encode())


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    start = {"type": "http.response.start", "status": status}
    await send(start | {"headers": [*headers, *_HEADERS, (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
