"""Inside the sandbox: stands in one process for an object of the other, and passes on what is done to it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

Ask = Callable[..., Any]
_HELD: tuple[str, ...] = ("_ask", "_number", "_kind", "_callable")
_PLAIN = ("bool", "int", "float", "complex", "str", "bytes", "list", "tuple", "dict", "set", "frozenset")


class Remote:
    """An object of the other process.

    It equals a plain value only where it descends from a plain type and that part of it is equal: what the
    answer's own `__eq__` says counts only between two objects of the answer.
    """

    __slots__ = _HELD

    def __init__(self, ask: Ask, number: int, kind: str, callable_: bool) -> None:
        for name, value in zip(_HELD, (ask, number, kind, callable_), strict=True):
            object.__setattr__(self, name, value)

    def __getattribute__(self, name: str) -> Any:
        if name == "__class__":
            return _class_of(self)
        if name in _OWN:
            return object.__getattribute__(self, name)
        return _ask(self)("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self)("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        _ask(self)("delete", self, name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call it over there; what that does to containers among the arguments is done to them here too."""
        result, after, named_after = _ask(self)("call", self, list(arguments), named)
        for i, value in after.items():
            restore(arguments[i], value)
        for name, value in named_after.items():
            restore(named[name], value)
        return result

    def __eq__(self, other: object) -> Any:
        if identity(other) is not None:
            return identity(other) == identity(self) or bool(_ask(self)("operate", self, "eq", other))
        if object.__getattribute__(self, "_kind") in _PLAIN:
            return bool(_ask(self)("plain", self) == other)
        return NotImplemented

    def __ne__(self, other: object) -> Any:
        same = self.__eq__(other)
        return NotImplemented if same is NotImplemented else not same

    def __hash__(self) -> int:
        return int(_ask(self)("operate", self, "hash"))

    def __instancecheck__(self, instance: Any) -> bool:
        return identity(instance) is not None and bool(_ask(self)("operate", instance, "isinstance", self))

    def __subclasscheck__(self, kind: Any) -> bool:
        return identity(kind) is not None and bool(_ask(self)("operate", kind, "issubclass", self))


def identity(value: object) -> int | None:
    """The number of a `Remote`; None of anything else."""
    found: int | None = object.__getattribute__(value, "_number") if type(value) is Remote else None
    return found


def restore(old: Any, new: Any) -> None:
    """Make a container, and those in it, what a copy of it has become."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, value in enumerate(new):
            old[i] = _kept(old[i], value)
    elif isinstance(old, list | bytearray) and isinstance(new, list | bytearray):
        old[:] = new
    elif isinstance(old, dict) and isinstance(new, dict):
        kept = {key: _kept(old.get(key), value) for key, value in new.items()}
        old.clear()
        old.update(kept)
    elif hasattr(old, "clear") and hasattr(new, "__iter__") and type(old) is type(new):  # sets and deques
        old.clear()
        (old.update if isinstance(old, set) else old.extend)(new)


def _kept(old: Any, new: Any) -> Any:
    """The old object with the new content where it can have that, else the new one."""
    if isinstance(old, list | dict | set | bytearray) and type(old) is type(new):
        restore(old, new)
        return old
    return new


def _ask(remote: Remote) -> Ask:
    found: Ask = object.__getattribute__(remote, "_ask")
    return found


def _class_of(remote: Remote) -> type:
    kinds = {
        kind.__name__: kind
        for kind in (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset)
    }
    return kinds.get(object.__getattribute__(remote, "_kind"), Remote)


def _forward(name: str) -> Callable[..., Any]:
    def method(self: Remote, *arguments: Any) -> Any:
        return _ask(self)("operate", self, name, *arguments)

    return method


def _reflect(name: str) -> Callable[..., Any]:
    def method(self: Remote, other: Any) -> Any:
        return _ask(self)("operate", self, "reflected", name, other)

    return method


def _reflected(target: Any, name: str, other: Any) -> Any:
    return OPERATIONS[name](other, target)


_BINARY = (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
)
_TYPED: dict[str, Callable[[Any], Any]] = {
    "bool": bool,
    "len": len,
    "int": int,
    "float": float,
    "complex": complex,
    "str": str,
    "repr": repr,
    "bytes": bytes,
    "hash": hash,
}
OPERATIONS: dict[str, Callable[..., Any]] = {
    **_TYPED,
    **{
        name: getattr(operator, name)
        for name in ("lt", "le", "gt", "ge", "eq", "neg", "pos", "abs", "invert", "index")
    },
    **{name: getattr(operator, f"__{name}__") for name in _BINARY},
    "getitem": operator.getitem,
    "setitem": operator.setitem,
    "delitem": operator.delitem,
    "contains": operator.contains,
    "iter": iter,
    "next": next,
    "reversed": reversed,
    "round": round,
    "format": format,
    "isinstance": isinstance,
    "issubclass": issubclass,
    "reflected": _reflected,
    "enter": lambda target: type(target).__enter__(target),
    "exit": lambda target, *error: type(target).__exit__(target, *error),
}
_APART = {"eq", "hash", "isinstance", "issubclass", "reflected"}
for _name in OPERATIONS.keys() - _APART:
    setattr(Remote, f"__{_name}__", _forward(_name))
for _name in _BINARY:
    setattr(Remote, f"__r{_name}__", _reflect(_name))
_OWN = {name for name in vars(Remote) if name.startswith("__")} - {"__doc__", "__module__", "__class__"}
