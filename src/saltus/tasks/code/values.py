"""Inside the sandbox: what passes between the tests' process and the answer's, as words that JSON knows.

Plain values are copied. Everything else stays where it is, and the other side gets a `Remote` that asks for
it. Both processes read this file; neither runs anything that the other one sends.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Callable
from typing import Any, Protocol

SCALARS = (bool, int, float, str)
KINDS: tuple[Any, ...] = (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset)
SAFE_NAMES = {value: name for name, value in vars(builtins).items() if isinstance(value, type)}
MUTABLE = (list, dict, set, bytearray)
_DATES = ("date", "datetime", "time", "timedelta")


class Lent:
    """Marks a container that the other side shall be able to change, where it would be copied by itself."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Bridge(Protocol):
    """The end of a connection: knows what was lent out and what was borrowed."""

    def lend(self, value: Any) -> int:
        """A number for an object that stays here."""

    def lent(self, number: int) -> Any:
        """The object behind a number."""

    def borrow(self, number: int, kind: str, callable_: bool) -> Any:
        """What stands here for an object of the other side."""

    def borrowed(self, value: Any) -> int | None:
        """The number, if that is what the value is."""

    def exception(self, number: int, name: str, bases: list[str]) -> Any:
        """What stands here for a class of exceptions of the other side."""

    def own(self, value: Any) -> bool:
        """Whether a type was made by the code that runs here, and not by Python's library."""

    @property
    def judges(self) -> bool:
        """Whether this is the tests' side: it looks nothing up for the other one but types and modules."""


def encode(value: Any, bridge: Bridge) -> Any:
    """A value as JSON."""
    if value is None or type(value) in SCALARS:
        return value
    number = bridge.borrowed(value)
    if number is not None:
        return ["o", number]
    if type(value) is Lent:
        return _lend(value.value, bridge)
    if isinstance(value, type):
        return _encode_type(value, bridge)
    try:
        found = None if bridge.own(type(value)) else _encode_copy(value, bridge)
    except RecursionError:  # it contains itself, or nearly so
        found = None
    return _lend(value, bridge) if found is None else found


def decode(said: Any, bridge: Bridge) -> Any:
    """A value from JSON. Whatever does not have the form that `encode` gives raises an error."""
    if said is None or isinstance(said, SCALARS):
        return said
    tag, *rest = said
    if tag not in _DECODERS:
        raise ValueError(f"no value begins with {tag!r}")
    return _DECODERS[tag](rest, bridge)


def plain(value: Any, bridge: Bridge) -> Any:
    """The value that an object is one of by descent: the list of a class that extends list."""
    for kind in KINDS:
        if isinstance(value, kind):
            return encode(kind(value), bridge)
    raise TypeError(f"a {type(value).__name__} has no plain value")


def base_kind(value: Any) -> str:
    """The plain type that an object descends from, or nothing."""
    return next((kind.__name__ for kind in KINDS if isinstance(value, kind)), "")


def _encode_copy(value: Any, bridge: Bridge) -> Any:
    """A value that is copied; None where it is not one."""
    for kind, copy in _COPIED:
        if isinstance(value, kind):
            return copy(value, bridge)
    if value is Ellipsis or value is NotImplemented:
        return ["e", "..." if value is Ellipsis else "no"]
    name = getattr(value, "__name__", "")
    if bridge.judges and callable(value) and getattr(builtins, name, None) is value:
        return ["g", name]
    return _encode_library(value, bridge)


def _encode_scalar(value: Any, _: Bridge) -> Any:
    """The plain part of a type of Python's that extends one."""
    return next(kind(value) for kind in SCALARS if isinstance(value, kind))


def _encode_dict(value: dict[Any, Any], bridge: Bridge) -> Any:
    return ["d", *([encode(key, bridge), encode(one, bridge)] for key, one in value.items())]


def _encode_slice(value: slice, bridge: Bridge) -> Any:
    return ["i", *(encode(one, bridge) for one in (value.start, value.stop, value.step))]


def _sequence(tag: str) -> Callable[[Any, Bridge], Any]:
    return lambda value, bridge: [tag, *(encode(one, bridge) for one in value)]


def _encode_library(value: Any, bridge: Bridge) -> Any:
    """Values of Python's library that are what they say; None for all others."""
    match type(value).__module__, type(value).__name__:
        case "collections", "deque":
            return ["q", value.maxlen, *(encode(one, bridge) for one in value)]
        case "fractions", "Fraction":
            return ["F", value.numerator, value.denominator]
        case "decimal", "Decimal":
            return ["D", str(value)]
        case "datetime", name if name in _DATES and getattr(value, "tzinfo", None) is None:
            return ["T", name, *(encode(one, bridge) for one in value.__reduce__()[1])]
    return None


def _deque(rest: list[Any], bridge: Bridge) -> Any:
    from collections import deque

    return deque((decode(one, bridge) for one in rest[1:]), rest[0])


def _fraction(rest: list[Any], _: Bridge) -> Any:
    from fractions import Fraction

    return Fraction(int(rest[0]), int(rest[1]))


def _decimal(rest: list[Any], _: Bridge) -> Any:
    from decimal import Decimal

    return Decimal(str(rest[0]))


def _date(rest: list[Any], bridge: Bridge) -> Any:
    import datetime

    if rest[0] not in _DATES:
        raise ValueError(f"{rest[0]!r} is not a kind of date")
    return getattr(datetime, rest[0])(*(decode(one, bridge) for one in rest[1:]))


def _encode_type(value: type, bridge: Bridge) -> Any:
    if value in SAFE_NAMES:
        return ["g", SAFE_NAMES[value]]
    if issubclass(value, BaseException):
        bases = [SAFE_NAMES[base] for base in value.__mro__ if base in SAFE_NAMES]
        return ["x", bridge.lend(value), value.__name__, bases]
    return _lend(value, bridge)


def _lend(value: Any, bridge: Bridge) -> list[Any]:
    return ["h", bridge.lend(value), base_kind(value), callable(value)]


def _named(rest: list[Any], bridge: Bridge) -> Any:
    value = vars(builtins)[rest[0]]
    if not isinstance(value, type) and bridge.judges:
        raise ValueError(f"{rest[0]} is not a type")
    return value


def _module(rest: list[Any], _: Bridge) -> Any:
    if rest[0].partition(".")[0] not in sys.stdlib_module_names:
        raise ValueError(f"{rest[0]} is not a module of Python")
    return importlib.import_module(rest[0])


def _decode_dict(rest: list[Any], bridge: Bridge) -> Any:
    return {decode(key, bridge): decode(value, bridge) for key, value in rest}


def _collected(kind: Callable[[Any], Any]) -> Callable[[list[Any], Bridge], Any]:
    return lambda rest, bridge: kind(decode(one, bridge) for one in rest)


_COPIED: tuple[tuple[Any, Callable[[Any, Bridge], Any]], ...] = (
    (SCALARS, _encode_scalar),
    (list, _sequence("l")),
    (tuple, _sequence("t")),
    (frozenset, _sequence("f")),
    (set, _sequence("s")),
    (dict, _encode_dict),
    (bytes, lambda value, _: ["b", value.hex()]),
    (bytearray, lambda value, _: ["B", value.hex()]),
    (complex, lambda value, _: ["c", value.real, value.imag]),
    (range, lambda value, _: ["r", value.start, value.stop, value.step]),
    (slice, _encode_slice),
    (type(sys), lambda value, _: ["m", value.__name__]),
)
_DECODERS: dict[str, Callable[[list[Any], Bridge], Any]] = {
    "l": _collected(list),
    "t": _collected(tuple),
    "f": _collected(frozenset),
    "s": _collected(set),
    "d": _decode_dict,
    "b": lambda rest, _: bytes.fromhex(rest[0]),
    "B": lambda rest, _: bytearray.fromhex(rest[0]),
    "c": lambda rest, _: complex(*rest),
    "r": lambda rest, _: range(*rest),
    "i": lambda rest, bridge: slice(*(decode(one, bridge) for one in rest)),
    "e": lambda rest, _: Ellipsis if rest[0] == "..." else NotImplemented,
    "g": _named,
    "m": _module,
    "o": lambda rest, bridge: bridge.lent(rest[0]),
    "h": lambda rest, bridge: bridge.borrow(rest[0], str(rest[1]), bool(rest[2])),
    "x": lambda rest, bridge: bridge.exception(rest[0], str(rest[1]), [str(base) for base in rest[2]]),
    "q": _deque,
    "F": _fraction,
    "D": _decimal,
    "T": _date,
}
