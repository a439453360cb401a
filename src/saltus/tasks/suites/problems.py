"""Where the faults of a suite go: the first one is raised, or all are collected for `saltus validate`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable

from saltus.records.errors import InputError, SaltusError

Report = Callable[[SaltusError], None]
KEPT = 1000  # faults of one suite that are kept in full; the others are counted


class Fault(Exception):  # noqa: N818 - it becomes an InputError as soon as its place is known
    """What is wrong with one value, before it is known in which file and line it stands.

    Args:
        sentence: What was found, what was expected, and the mend.
        field: The key or column at fault.
    """

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.field = field

    def at(self, path: str, line: int | None) -> InputError:
        """The error that a user sees."""
        return InputError(self.sentence, path=path, line=line, field=self.field or None)


class Collected:
    """Keeps the faults in the order in which they were found, each once: two tasks may share a file.

    Attributes:
        errors: The first `KEPT` of them.
        count: How many there were in all.
    """

    def __init__(self) -> None:
        self.errors: list[SaltusError] = []
        self.count = 0
        self._known: set[str] = set()

    def __call__(self, error: SaltusError) -> None:
        """Keep one."""
        if str(error) in self._known:
            return
        self.count += 1
        if len(self.errors) < KEPT:
            self.errors.append(error)
            self._known.add(str(error))


def stop_at_first(error: SaltusError) -> None:
    """Report a fault by raising it."""
    raise error


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Name what there is, the likeliest first where the word is close to one.

    Examples:
        >>> did_you_mean("metrcs", ["items", "metrics"])
        "did you mean 'metrics'?"
        >>> did_you_mean("x", ["items", "metrics"])
        'there are items, metrics'
    """
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are {', '.join(names)}" if names else "there are none"


def shown(value: object, width: int = 60) -> str:
    """A value as it is quoted in a sentence: on one line, and not too long."""
    text = repr(value)
    return text if len(text) <= width else f"{text[: width - 3]}..."
