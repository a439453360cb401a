"""The items of a JSON list, decoded one by one out of a window of the file, so that none is held."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

from saltus.records.errors import InputError

_CHUNK = 1 << 20
_DECODER = json.JSONDecoder()


def list_items(text: TextIO, path: str) -> Iterator[tuple[int, Any]]:
    """Each item of a list with the line it begins in.

    Args:
        text: The file.
        path: Its name, for errors.

    Raises:
        InputError: It is no JSON list; with the line.
    """
    window = _Window(text, path)
    if (found := window.take()) != "[":
        raise window.wrong(
            f"a JSON list of items was expected, this begins with {found or 'nothing'!r}; write [ ... ], or "
            "one item a line into a .jsonl file"
        )
    if window.peek() == "]":
        window.take()
    else:
        found = ","
        while found == ",":
            window.peek()
            yield window.line, window.item()
            found = window.take()
        if found != "]":
            raise window.wrong(
                f"a comma or the end of the list was expected here, found {found or 'the file ends'!r}; "
                "mend this line"
            )
    if window.peek():
        raise window.wrong("something stands after the list here; remove it")


class _Window:
    """The part of a text that is looked at."""

    def __init__(self, text: TextIO, path: str) -> None:
        self.line = 1
        self._text, self._path = text, path
        self._window, self._at, self._ended = "", 0, False

    def peek(self) -> str:
        """The next character that is no white space, which stays; empty at the end."""
        while True:
            while self._at < len(self._window) and self._window[self._at] in " \t\r\n":
                self.line += self._window[self._at] == "\n"
                self._at += 1
            if self._at < len(self._window) or not self._grow(_CHUNK):
                return self._window[self._at : self._at + 1]

    def take(self) -> str:
        """The next character that is no white space."""
        found = self.peek()
        self._at += len(found)
        return found

    def item(self) -> Any:
        """The value that begins here."""
        while True:
            try:
                value, after = _DECODER.raw_decode(self._window, self._at)
            except (json.JSONDecodeError, RecursionError) as error:
                if self._cut_off(error) and self._grow(max(_CHUNK, len(self._window))):
                    continue
                line = self.line + self._window.count("\n", self._at, getattr(error, "pos", self._at))
                reason = getattr(error, "msg", "nested too deep")
                raise self.wrong(f"this is no JSON ({reason}); mend this line", line) from error
            if after < len(self._window) or not self._grow(_CHUNK):  # else a number may go on
                self.line += self._window.count("\n", self._at, after)
                self._at = after
                return value

    def wrong(self, sentence: str, line: int | None = None) -> InputError:
        """An error at this place."""
        return InputError(sentence, path=self._path, line=line or self.line)

    def _grow(self, size: int) -> bool:
        more = "" if self._ended else self._text.read(size)
        self._ended = not more
        self._window, self._at = self._window[self._at :] + more, 0
        return bool(more)

    def _cut_off(self, error: Exception) -> bool:
        """Whether decoding failed because the window ends within an item."""
        return isinstance(error, json.JSONDecodeError) and (
            "Unterminated" in error.msg or error.pos >= len(self._window) - 16
        )
