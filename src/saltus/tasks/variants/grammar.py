"""How a variant is written, "few_shot:k=3+typos:rate=0.1", and the one way in which it is stored."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping

import msgspec

from saltus.records.errors import UsageError
from saltus.tasks.variants.item import Parameter, Value, VariantInfo

SEED = Parameter("seed", 0, "seed of its own, instead of the one that is passed", low=0, high=2**53)


class Step(msgspec.Struct, frozen=True):
    """One part of a variant.

    Attributes:
        info: What is done.
        options: With all of them, those that were not written included.
        name: As it is stored: every option in the order of names, the seed where it is not 0.
    """

    info: VariantInfo
    options: Mapping[str, Value]
    name: str


def parse(text: str, known: Mapping[str, VariantInfo], seed: int) -> tuple[Step, ...]:
    """Read a variant.

    Args:
        text: Names joined by "+", each with options behind a colon.
        known: All there is.
        seed: Of the steps that chance has a part in and that name none.

    Raises:
        UsageError: There is no such variant or option, or a value is out of range.
    """
    if not text.strip():
        raise _error(
            "a variant is empty; name one, such as typos:rate=0.1, or leave it out for the plain prompt"
        )
    return tuple(_step(part.strip(), known, seed) for part in re.split(r"\+(?!\d)", text))


def _step(text: str, known: Mapping[str, VariantInfo], seed: int) -> Step:
    name, _, options = text.partition(":")
    info = known.get(name.strip())
    if info is None:
        raise _error(f"no variant is called {name.strip()!r}; {_near(name.strip(), list(known))}")
    allowed = {one.name: one for one in (*info.parameters, *([SEED] if info.seeded else []))}
    given: dict[str, Value] = {}
    for pair in filter(None, map(str.strip, options.split(","))):
        key, equals, value = map(str.strip, pair.partition("="))
        if key not in allowed:
            mend = _near(key, list(allowed)) if allowed else "it takes none"
            raise _error(f"variant {info.name} has no option {key!r}; {mend}")
        if key in given or not equals:
            raise _error(f"write each option of variant {info.name} once, as {key}=VALUE, not {pair!r}")
        given[key] = _value(info.name, allowed[key], value)
    chosen: dict[str, Value] = {one.name: given.get(one.name, one.default) for one in info.parameters}
    if info.seeded:
        chosen[SEED.name] = given.get(SEED.name, seed)
    return Step(info, chosen, _name(info.name, chosen))


def _name(name: str, options: Mapping[str, Value]) -> str:
    shown = sorted(
        (key, value) for key, value in options.items() if key != SEED.name or value != SEED.default
    )
    words = [f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in shown]
    return f"{name}:{','.join(words)}" if words else name


def _value(variant: str, parameter: Parameter, text: str) -> Value:
    if isinstance(parameter.default, str):
        if text not in parameter.allowed:
            mend = _near(text, list(parameter.allowed))
            raise _error(f"{parameter.name}={text} of variant {variant} is unknown; {mend}")
        return text
    kind = int if isinstance(parameter.default, int) else float
    wanted = f"a {'whole ' if kind is int else ''}number from {parameter.low:g} to {parameter.high:g}"
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if not parameter.low <= number <= parameter.high:
        raise _error(f"{parameter.name}={text} of variant {variant} is out of range; give {wanted}")
    return number


def _near(word: str, names: list[str]) -> str:
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"there is {', '.join(sorted(names))}"


def _error(message: str) -> UsageError:
    return UsageError(message, field="variant")
