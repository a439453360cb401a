"""Reads the location of a model behind HTTP: `http(s)://HOST:PORT/v1#MODEL-NAME`."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from saltus.records.errors import UsageError

_FORM = "write it as http://HOST:PORT/v1#MODEL-NAME"
_ENDPOINTS = {"/chat/completions": "chat", "/completions": "completions"}


class Address(msgspec.Struct, frozen=True):
    """Where a server is and which of its models is meant.

    Attributes:
        base: URL that the endpoints stand below, without a slash at the end and without credentials.
        model: The model's name at the server, empty when the location names none.
        api: "chat" or "completions" where the location ends in that endpoint, else empty.
        local: Whether the server is on this machine.
    """

    base: str
    model: str = ""
    api: str = ""
    local: bool = False

    @property
    def name(self) -> str:
        """What to call the model: its name at the server, or the server."""
        return self.model or self.base.split("://", 1)[1].split("/", 1)[0]


def is_url(location: str) -> bool:
    """Whether a location is one of a model behind HTTP.

    Examples:
        >>> is_url("http://localhost:8000/v1#tiny"), is_url("models/tiny")
        (True, False)
    """
    return location.startswith(("http://", "https://"))


def parse_address(location: str) -> Address:
    """Take a location apart.

    Raises:
        UsageError: It is no such URL, or holds what does not belong there, such as a password.

    Examples:
        >>> parse_address("http://localhost:8000/v1#Qwen/Qwen3-8B").model
        'Qwen/Qwen3-8B'
        >>> parse_address("http://localhost:11434").base
        'http://localhost:11434/v1'
    """
    try:
        parts = urlsplit(location)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{location!r} is no URL ({error}); {_FORM}", field="location") from None
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            f"the URL of {host} holds a user name or a password, which would be stored with the results; put "
            "the key into an environment variable and name that with the option key_env",
            field="location",
        )
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"{location!r} names no HTTP server; {_FORM}", field="location")
    if parts.query:
        # Not shown: what stands there may be a key.
        raise UsageError(
            f"the URL of {host} has a part after '?', which is not used; {_FORM}", field="location"
        )
    path, api = _path(parts)
    shown = f"[{host}]" if ":" in host else host
    base = f"{parts.scheme}://{shown}{f':{port}' if port is not None else ''}{path}"
    return Address(base, unquote(parts.fragment), api, _is_local(host))


def _path(parts: SplitResult) -> tuple[str, str]:
    path = parts.path.rstrip("/")
    for ending, api in _ENDPOINTS.items():
        if path.endswith(ending):
            return path.removesuffix(ending), api
    return path or "/v1", ""


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
