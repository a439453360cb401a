"""Finds out what a server can do, with a few requests of one token: models, APIs, how it scores text."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from saltus.models.http.abilities import Abilities
from saltus.models.http.bodies import Bodies, Sent
from saltus.models.http.client import Client
from saltus.models.http.options import Options, Scoring
from saltus.models.http.problems import RejectedError, TryFailedError, cannot_be_reached
from saltus.models.http.scoring import scores_text
from saltus.models.http.wire import decode_models
from saltus.records.errors import ModelError

T = TypeVar("T")
_TEXTS = ["One two three.", "Four five six."]
_NO_SUCH_ENDPOINT = frozenset({404, 405, 501})
_NO_ACCESS = frozenset({401, 403})
_NAMED = 8  # models in a message
_RETRIES = 2  # somebody waits for the answer


async def find_model(client: Client, base: str, options: Options) -> str:
    """The name of the server's only model.

    Raises:
        ModelError: It has none or several, or does not say.
    """
    try:
        body = await _patiently(lambda: client.get("/models"), options)
        names = [one.id for one in decode_models(body).data]
    except (TryFailedError, RejectedError, msgspec.MsgspecError) as error:
        if isinstance(error, TryFailedError) and error.unreachable:
            raise cannot_be_reached(base, error) from None
        raise ModelError(
            f"{base} does not list its models ({error}); check the address, and write the model's name after "
            f"it, as in {base}#MODEL-NAME",
            field="location",
        ) from None
    if len(names) == 1:
        return names[0]
    listed = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    raise ModelError(
        f"{base} has {len(names)} models{f' ({listed})' if names else ''}; write the name of one after the "
        f"address, as in {base}#{names[0] if names else 'MODEL-NAME'}",
        field="location",
    )


async def learn_scoring(
    client: Client, bodies: Bodies, abilities: Abilities, base: str, options: Options
) -> None:
    """Find out how the server scores text, and on the way whether it continues text at all.

    Raises:
        ModelError: The server cannot be reached, or does not let us in.
    """
    trials: list[tuple[Scoring, list[str]]] = [
        ("echo", _TEXTS),
        ("echo", _TEXTS[:1]),
        ("prompt_logprobs", _TEXTS[:1]),
    ]
    if abilities.scoring != "auto":
        trials = [(abilities.scoring, _TEXTS)] if abilities.scoring != "none" else []
    for how, texts in trials:
        body = await _try_out(client, bodies.score(texts, how=how), base, options)
        if body is None:
            abilities.completions = False
            break
        abilities.completions = abilities.completions or bool(body)
        if body and scores_text(body, texts):
            abilities.completions = True
            abilities.scoring, abilities.batches = how, len(texts) > 1
            return
    if abilities.scoring == "auto":
        abilities.scoring = "none"
    await learn_completions(client, bodies, abilities, base, options)


async def learn_completions(
    client: Client, bodies: Bodies, abilities: Abilities, base: str, options: Options
) -> None:
    """Find out whether the server continues text, or only answers conversations.

    Raises:
        ModelError: The server cannot be reached, or does not let us in.
    """
    if abilities.completions is None:
        body = await _try_out(client, bodies.score(_TEXTS[:1], how="none"), base, options)
        abilities.completions = bool(body)


async def _try_out(client: Client, sent: Sent, base: str, options: Options) -> bytes | None:
    """The answer; empty when the server refuses the request, None when it has no such endpoint."""
    try:
        got = await _patiently(lambda: client.post(sent.endpoint, sent.data), options)
    except RejectedError as error:
        if error.status in _NO_ACCESS:
            raise ModelError(
                f"{base} lets nobody in without the right key: {error}", field="key_env"
            ) from None
        return None if error.status in _NO_SUCH_ENDPOINT else b""
    except TryFailedError as error:
        if error.unreachable:
            raise cannot_be_reached(base, error) from None
        return b""
    return got.body


async def _patiently(ask: Callable[[], Awaitable[T]], options: Options) -> T:
    last = min(options.retries, _RETRIES)
    for attempt in range(last + 1):
        try:
            return await ask()
        except TryFailedError as error:
            if attempt == last:
                raise
            await asyncio.sleep(min(error.wait or options.backoff * 2**attempt, options.timeout))
    raise AssertionError("unreachable")  # pragma: no cover
