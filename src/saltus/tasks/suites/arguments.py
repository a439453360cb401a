"""Arguments from the command line (`-T key=value`) for functions that make tasks or suites."""

from __future__ import annotations

import contextlib
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from saltus.records.errors import UsageError
from saltus.tasks.suites.problems import did_you_mean, shown


def parse_arguments(pairs: typing.Iterable[str]) -> dict[str, str]:
    """Split `key=value` words.

    Raises:
        UsageError: One has no equals sign, or a key stands twice.

    Examples:
        >>> parse_arguments(["n=10", "words=a=b"])
        {'n': '10', 'words': 'a=b'}
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise UsageError(f"-T is {pair!r}, key=value was expected; write it so", field="-T")
        if key in found:
            raise UsageError(f"-T gives {key} twice; give it once", field="-T")
        found[key] = value
    return found


def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Parameters that can be given by name."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: one for name, one in inspect.signature(function).parameters.items() if one.kind in kinds}


def bind_arguments(function: Callable[..., Any], arguments: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The values that a function gets: text is read as the type of the parameter, or of its default.

    Args:
        function: Will be called with them.
        arguments: By name; text where they come from the command line.
        what: What the function makes, for errors.

    Raises:
        UsageError: A parameter does not exist, is missing, or does not take the value.
    """
    known = parameters_of(function)
    for name in arguments:
        if name not in known:
            raise UsageError(f"{what} takes no argument {name!r}; {did_you_mean(name, known)}", field="-T")
    missing = [n for n, one in known.items() if one.default is one.empty and n not in arguments]
    if missing:
        raise UsageError(
            f"{what} needs the argument {missing[0]!r}; give it with -T {missing[0]}=...", field="-T"
        )
    hints = _hints(function)
    return {name: _read(name, value, hints.get(name), known[name], what) for name, value in arguments.items()}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - annotations may name what is imported for type checkers only
        return {}


def _read(name: str, value: Any, hint: Any, parameter: inspect.Parameter, what: str) -> Any:
    if not isinstance(value, str):
        return value
    if hint is None and parameter.default not in (parameter.empty, None):
        hint = type(parameter.default)
    readings: list[Any] = [value]
    with contextlib.suppress(msgspec.DecodeError, RecursionError):
        readings.append(msgspec.json.decode(value))
    if hint is None:
        return readings[-1]
    for reading in readings:
        try:
            return msgspec.convert(reading, hint, strict=False)
        except msgspec.ValidationError:
            continue
        except TypeError:  # a type that msgspec does not know
            return readings[-1]
    wanted = getattr(hint, "__name__", str(hint))
    raise UsageError(
        f"{what} takes {name} as {wanted}, and it is {shown(value)}; give such a value with -T {name}=...",
        field="-T",
    )
