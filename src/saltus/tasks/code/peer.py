"""Inside the sandbox: one end of the connection between the tests' process and the answer's.

Either side asks for something and, while it waits, serves what the other asks in return, as when a test hands
the answer a function to call. What the answer's side may ask of the tests' objects is little: `_guard`.
"""

from __future__ import annotations

import builtins
import json
import struct
import threading
from collections.abc import Callable
from typing import IO, Any, NoReturn

from saltus.tasks.code.remote import OPERATIONS, Remote, identity
from saltus.tasks.code.values import MUTABLE, SAFE_NAMES, Lent, decode, encode, plain

_SPOKEN_NAMES = ("__name__", "__qualname__", "__doc__")  # what `functools.wraps` reads
_MOST = 64 * 1024 * 1024  # bytes of one message


class AnswerExitError(Exception):
    """The answer's code tried to end the program; that is no verdict."""


class Peer:
    """An end of the connection.

    Args:
        read: From the other side.
        write: To it.
        judges: Whether this is the tests' side.
        module: The name of the module whose types are this side's own.
    """

    def __init__(self, read: IO[bytes], write: IO[bytes], *, judges: bool, module: str) -> None:
        self.judges = judges
        self._read = read
        self._write = write
        self._module = module
        self._lent: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._errors: dict[int, type[BaseException]] = {}
        self._lock = threading.RLock()
        self.actions: dict[str, Callable[..., Any]] = {
            "call": self._call,
            "get": self._get,
            "set": setattr,
            "delete": delattr,
            "operate": self._operate,
            "plain": lambda target: decode(plain(target, self), self),
        }
        self.printed: Callable[[], str] = str  # gives what was printed on this side since the last message
        self.print: Callable[[str], Any] = len  # takes what was printed on the other one

    def ask(self, action: str, *arguments: Any) -> Any:
        """Have the other side do something, and wait for what comes of it."""
        with self._lock:
            self._send(["ask", action, [encode(one, self) for one in arguments]])
            return self._answer()

    def serve(self) -> NoReturn:
        """Do what the other side asks, until it is gone."""
        while True:
            _, action, arguments = self._receive()
            self._do(action, arguments)

    def lend(self, value: Any) -> int:
        """A number for an object that stays here; the same one each time."""
        number = self._numbers.setdefault(id(value), len(self._lent) + 1)
        self._lent[number] = value  # held, so that its id stays its own
        return number

    def lent(self, number: int) -> Any:
        """The object behind a number."""
        return self._lent[number]

    def borrow(self, number: int, kind: str, callable_: bool) -> Any:
        """What stands here for an object of the other side."""
        return Remote(self.ask, int(number), kind, callable_)

    def borrowed(self, value: Any) -> int | None:
        """The number of an object of the other side."""
        if isinstance(value, type):
            return next((number for number, kind in self._errors.items() if kind is value), None)
        return identity(value)

    def exception(self, number: int, name: str, bases: list[str]) -> type[BaseException]:
        """A class of exceptions that can be raised and caught here in place of one over there."""
        if number not in self._errors:
            known = [getattr(builtins, base) for base in bases if base in SAFE_NAMES.values()]
            base = next((one for one in known if issubclass(one, BaseException)), Exception)
            self._errors[number] = type(name, (base,), {})
        return self._errors[number]

    def own(self, kind: type) -> bool:
        """Whether a type was made by the code that runs on this side."""
        return getattr(kind, "__module__", "") == self._module

    def _answer(self) -> Any:
        while True:
            kind, *said = self._receive()
            if kind == "ask":
                self._do(said[0], said[1])
            elif kind == "done":
                return decode(said[0], self)
            else:
                self._raise(said)

    def _raise(self, said: list[Any]) -> NoReturn:
        kind, arguments, text = decode(said[0], self), decode(said[1], self), str(said[2])
        if not (isinstance(kind, type) and issubclass(kind, Exception)):  # SystemExit would end the tests
            raise AnswerExitError(f"the answer raised {getattr(kind, '__name__', kind)}: {text}")
        try:
            error = kind(*arguments)
        except Exception:  # noqa: BLE001 - its constructor wants something else
            error = kind.__new__(kind)
            error.args = tuple(arguments)
        raise error

    def _do(self, action: str, said: list[Any]) -> None:
        try:
            arguments = [decode(one, self) for one in said]
            if self.judges:
                self._guard(action, arguments)
            result = self.actions[action](*arguments)
            if action == "call":
                result = self._with_changes(result, said, arguments)
            message = ["done", encode(result, self)]
        except BaseException as error:  # noqa: BLE001 - it belongs to the other side
            message = self._failure(error)
        self._send(message)

    def _with_changes(self, result: Any, said: list[Any], arguments: list[Any]) -> Any:
        """The result of a call, with those arguments that are no longer what came: they were copies."""
        _, positional, named = arguments
        came = {json.dumps(key): value for key, value in said[2][1:]}
        changed = {i: one for i, one in enumerate(positional) if encode(one, self) != said[1][i + 1]}
        changed_named = {
            name: one for name, one in named.items() if encode(one, self) != came.get(json.dumps(name))
        }
        return result, _containers(changed), _containers(changed_named)

    def _failure(self, error: BaseException) -> list[Any]:
        kind = encode(type(error), self)
        try:
            return ["raise", kind, encode(list(error.args), self), str(error)[:1000]]
        except Exception:  # noqa: BLE001 - an error that cannot be shown
            return ["raise", kind, ["l"], ""]

    def _guard(self, action: str, arguments: list[Any]) -> None:
        """Refuse what the answer has no business in.

        The tests' objects can be called and gone through, and their public attributes be used where the tests
        gave them: frames, globals and code objects hang from others.
        """
        if action == "get" and arguments[1] in _SPOKEN_NAMES:
            return
        if action in ("get", "set"):
            target, name = arguments[:2]
            made_here = self.own(target if isinstance(target, type) else type(target))
            if not made_here or name.startswith("_"):
                raise AttributeError(f"{type(target).__name__!r} object has no attribute {name!r}")
        elif action not in ("call", "operate", "input"):
            raise PermissionError(f"the tests do not serve {action!r}")

    @staticmethod
    def _call(function: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
        return function(*arguments, **named)

    def _get(self, target: Any, name: str) -> Any:
        value = getattr(target, name)
        return Lent(value) if isinstance(value, MUTABLE) and not self.judges else value

    def _operate(self, target: Any, name: str, *arguments: Any) -> Any:
        value = OPERATIONS[name](target, *arguments)
        lends = name == "getitem" and isinstance(value, MUTABLE) and not self.judges
        return Lent(value) if lends else value

    def _send(self, message: list[Any]) -> None:
        content = json.dumps([self.printed(), message]).encode()
        self._write.write(struct.pack("<Q", len(content)) + content)
        self._write.flush()

    def _receive(self) -> list[Any]:
        (size,) = struct.unpack("<Q", self._exactly(8))
        if size > _MOST:
            raise EOFError(f"a message of {size} bytes")
        printed, message = json.loads(self._exactly(size))
        if printed:
            self.print(str(printed))
        return list(message)

    def _exactly(self, size: int) -> bytes:
        content = self._read.read(size)
        if len(content) < size:
            raise EOFError("the process of the answer is gone" if self.judges else "the tests are over")
        return content


def _containers(values: dict[Any, Any]) -> dict[Any, Any]:
    return {key: one for key, one in values.items() if type(one) in MUTABLE or type(one).__name__ == "deque"}
