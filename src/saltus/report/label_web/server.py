"""Binds an address, puts the guard before the routes, and runs them with uvicorn until Ctrl-C."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from saltus.records.errors import MissingExtraError, UsageError
from saltus.report.label_web.guard import Guard

if TYPE_CHECKING:
    from saltus.store import Store

_LOCAL = ("localhost", "127.0.0.1", "[::1]")
_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")


@contextmanager
def bind(host: str, port: int) -> Iterator[socket.socket]:
    """Take an address for the length of the `with` block, so that its port is known before anything runs.

    Raises:
        UsageError: It is taken, or is no address of this machine.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise UsageError(f"{host!r} is no address ({error.strerror or error})", field="host") from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(
                f"{host}:{port} cannot be listened on ({reason}); name another --port or --host", field="port"
            ) from error
        listener.listen(128)
        yield listener


def make_app(store: Store, listener: socket.socket, *, token: str | None = None) -> Guard:
    """The pages behind their guard.

    Args:
        store: Where queues are and labels go.
        listener: The address; beyond this machine a token is needed.
        token: What raters show; made up when one is needed and None is given.

    Raises:
        MissingExtraError: Litestar or uvicorn is not installed.
        UsageError: The token is too short or has odd signs.
    """
    host, port = listener.getsockname()[:2]
    here = ipaddress.ip_address(host).is_loopback
    if token is not None and not _TOKEN.fullmatch(token):
        raise UsageError("the token needs 16 to 128 letters, digits, - or _", field="token")
    token = token or ("" if here else secrets.token_urlsafe(24))
    try:
        import uvicorn  # noqa: F401 - said before the address is

        from saltus.report.label_web.app import make_routes
    except ImportError as error:
        raise MissingExtraError(
            "the labelling pages need Litestar and uvicorn; `pip install 'saltus[serve]'`, or label in the "
            "terminal with `saltus label next`"
        ) from error
    name = f"[{host}]" if ":" in host else host
    hosts = _LOCAL if here else () if host in _ANY else (name,)
    shown = socket.gethostname() if host in _ANY else name
    url = f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
    return Guard(make_routes(store), hosts=hosts, token=token, url=url)


def run_app(app: Guard, listener: socket.socket) -> None:
    """Answer until the process is interrupted."""
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, lifespan="off")
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
