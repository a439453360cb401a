"""Reads where a run is spread over: `ray://HOST:PORT`, `ray://auto` or `ray://local:N`, with options."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl, urlsplit

import msgspec
from msgspec import Meta

from saltus.records.errors import UsageError

# As many as the runner gives a model that answers in batches here, so that each answer is computed in the
# same company: rounding depends on it.
BATCH = 1_024
_FORM = "write it as ray://HOST:PORT, ray://auto or ray://local:2"
_CLIENT_PORT = 10_001


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the workers are and what each of them gets.

    Attributes:
        kind: "local" starts a cluster on this machine that ends with the run, "auto" joins the one that this
            machine belongs to, "client" reaches one from outside.
        address: What Ray is told, empty for "local".
        workers: How many at most; 0 takes as many as the cluster has room for.
        cpus: That each worker asks for; 0 takes as many as the model computes with threads.
        gpus: That each worker asks for; None takes one where the cluster has some and the model can use it.
        batch: Requests that are sent to a worker at a time.
    """

    kind: Literal["local", "auto", "client"]
    address: str = ""
    workers: Annotated[int, Meta(ge=0)] = 0
    cpus: Annotated[float, Meta(ge=0)] = 0.0
    gpus: Annotated[float, Meta(ge=0)] | None = None
    batch: Annotated[int, Meta(ge=1)] = BATCH


def parse_place(url: str) -> Place:
    """Take a place apart.

    Raises:
        UsageError: It is none, or an option is unknown or out of range.

    Examples:
        >>> parse_place("ray://local:2").workers
        2
        >>> parse_place("ray://head.example:10001?gpus=1&batch=256").batch
        256
        >>> parse_place("ray://head.example").address
        'ray://head.example:10001'
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is no place for workers ({error}); {_FORM}", field="on") from error
    if parts.scheme != "ray" or not host or parts.path.strip("/") or parts.fragment or parts.username:
        raise UsageError(f"{url!r} is no place for workers; {_FORM}", field="on")
    fields: dict[str, Any] = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in fields.keys() & {"kind", "address"}:
        raise UsageError(f"{url!r} has the unknown option {name}; {_FORM}", field="on")
    match host:
        case "local":
            fields |= {"kind": "local"} | ({"workers": port} if port else {})
        case "auto":
            fields |= {"kind": "auto", "address": "auto"}
        case _:
            name = f"[{host}]" if ":" in host else host
            fields |= {"kind": "client", "address": f"ray://{name}:{port or _CLIENT_PORT}"}
    try:
        return msgspec.convert(fields, Place, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{url!r} has an option that cannot be used ({error}); it takes workers, cpus, gpus and batch",
            field="on",
        ) from error
