"""The options of a remote model, checked: what may be asked of the server, how fast, and at what cost."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from saltus.models.http.address import Address
from saltus.records.errors import UsageError

_DEFAULT_KEY = "OPENAI_API_KEY"
T = TypeVar("T", bound=msgspec.Struct)
_Positive = Annotated[float, Meta(gt=0)]
_NotNegative = Annotated[float, Meta(ge=0)]
Scoring: TypeAlias = Literal["auto", "echo", "prompt_logprobs", "none"]
_Count = Annotated[int, Meta(ge=1)]


class Flow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every remote model takes: how many requests at a time, how fast, and at what cost.

    Attributes:
        connections: Most requests under way at a time.
        min_connections: Fewest, however often the server pushes back.
        start_connections: To begin with; 0 takes all of `connections`, and 256 at most.
        max_cost: Stop when this much is spent, in the currency of the prices.
        max_tokens_total: Stop when prompts and answers have this many tokens together.
        price_in: Of a million prompt tokens.
        price_out: Of a million completion tokens.
    """

    connections: _Count = 64
    min_connections: _Count = 1
    start_connections: Annotated[int, Meta(ge=0)] = 0
    max_cost: _Positive | None = None
    max_tokens_total: _Count | None = None
    price_in: _NotNegative = 0.0
    price_out: _NotNegative = 0.0


class Options(Flow, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What else a model behind HTTP takes; `Flow` has the rest.

    Attributes:
        api: "chat" puts every prompt as a user's message, "completions" sends text; "auto" sends
            conversations to the one and text to the other, where the server has it.
        scoring: How the server scores text: "echo" (with `logprobs`), "prompt_logprobs" (vLLM), "none", or
            "auto" to find out with a small request.
        timeout: Seconds that one try may take, from its first byte to the answer's last.
        deadline: Seconds after which a request is given up, all tries and waits included; none by default.
        retries: Tries after the first that failed.
        backoff: Seconds of the longest wait before the first retry; it doubles with each, up to a minute.
        requests_per_minute: Most requests sent in any minute.
        tokens_per_minute: Most tokens, of prompts and answers together, in any minute.
        key_env: Name of the environment variable with the API key.
        logprobs: Ask for the log-probabilities of generated tokens.
        stream: Take answers as they are written, which shows the time to the first token.
        extra: Further fields of the request's body, as a dict or as JSON text.
    """

    api: Literal["auto", "chat", "completions"] = "auto"
    scoring: Scoring = "auto"
    timeout: _Positive = 600.0
    deadline: _Positive | None = None
    retries: Annotated[int, Meta(ge=0)] = 5
    backoff: _NotNegative = 0.5
    requests_per_minute: _Positive | None = None
    tokens_per_minute: _Positive | None = None
    key_env: str = ""
    logprobs: bool = True
    stream: bool = False
    extra: dict[str, Any] = {}


def read_options(kind: type[T], given: dict[str, Any], *, reserved: frozenset[str] = frozenset()) -> T:
    """Check options, whose values may be text as a command line gives them.

    Args:
        kind: `Options`, or another struct.
        given: By name.
        reserved: Fields of a request's body that `extra` may not set.

    Raises:
        UsageError: One is unknown, or out of range.
    """
    known = [field.name for field in msgspec.structs.fields(kind)]
    for name in given:
        if name not in known:
            raise UsageError(
                f"{name!r} is no option of this model; use {', '.join(sorted(known))}", field=name
            )
    given = {name: value for name, value in given.items() if value is not None}
    try:
        if isinstance(given.get("extra"), str):
            given["extra"] = msgspec.json.decode(given["extra"], type=dict[str, Any])
        options = msgspec.convert(given, kind, strict=False)
    except msgspec.MsgspecError as error:
        what, _, where = str(error).partition(" - at `$.")
        field = where.rstrip("`") or "extra"
        raise UsageError(f"the option {field} is {given.get(field)!r}: {_lower(what)}", field=field) from None
    values = msgspec.structs.asdict(options)
    if values.get("max_cost") and not (values["price_in"] or values["price_out"]):
        raise UsageError(
            "max_cost needs prices; give price_in and price_out for a million tokens", field="max_cost"
        )
    if taken := sorted(reserved.intersection(values.get("extra", ()))):
        raise UsageError(
            f"extra sets {taken[0]!r}, which requests set themselves; leave it out", field="extra"
        )
    return options


def read_key(options: Options, address: Address) -> str:
    """The API key, empty when there is none.

    The usual variable is only read for a server that nobody on the way can listen to; one that is named is
    always used.

    Raises:
        UsageError: The variable that is named is not set.
    """
    if options.key_env:
        key = os.environ.get(options.key_env, "").strip()
        if not key:
            raise UsageError(
                f"the environment variable {options.key_env} is not set; set it to the API key",
                field="key_env",
            )
        return key
    if address.local or address.base.startswith("https://"):
        return os.environ.get(_DEFAULT_KEY, "").strip()
    return ""


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
