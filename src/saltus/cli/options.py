"""`KEY=VALUE` options, as `-O` takes them for models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from saltus.records.errors import UsageError


def key_values(given: Sequence[str]) -> dict[str, Any]:
    """Read `key=value` pairs; numbers, true and false are read as such, the rest is text.

    Raises:
        UsageError: One is no pair.

    Examples:
        >>> key_values(["connections=200", "logprobs=false", "key-env=MY_KEY"])
        {'connections': 200, 'logprobs': False, 'key_env': 'MY_KEY'}
    """
    import msgspec

    options: dict[str, Any] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise UsageError(
                f"-O {pair} is no KEY=VALUE pair; write for example -O connections=200", field="-O"
            )
        try:
            options[name.replace("-", "_")] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            options[name.replace("-", "_")] = text
    return options
