"""Verifiable instructions: `extra["constraints"]` lists what an output must keep to, each checked by a rule.

In the manner of IFEval (arXiv:2311.07911). `CONSTRAINTS` is public: suites are checked against it before a
model is asked, and a package may add kinds of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from saltus.records.errors import InputError
from saltus.records.evidence import Response, Sample
from saltus.tasks.metrics import constraint_rules as rules
from saltus.tasks.metrics.base import Metric
from saltus.tasks.metrics.constraint_rules import Count, Nothing, Script, Text, Texts, TextTimes


class Constraint(msgspec.Struct, frozen=True):
    """One kind of constraint.

    Attributes:
        kind: As it stands in `extra["constraints"]`.
        parameters: Struct of what else a constraint of this kind says.
        holds: Whether an output keeps to it.
        meaning: In words, with the parameters' names in braces.
    """

    kind: str
    parameters: type[msgspec.Struct]
    holds: Callable[[str, Any], bool]
    meaning: str


CONSTRAINTS: dict[str, Constraint] = {
    one.kind: one
    for one in (
        Constraint("min_words", Count, rules.min_words, "at least {n} words"),
        Constraint("max_words", Count, rules.max_words, "at most {n} words, and at least one"),
        Constraint("exact_words", Count, rules.exact_words, "exactly {n} words"),
        Constraint("min_sentences", Count, rules.min_sentences, "at least {n} sentences"),
        Constraint("max_sentences", Count, rules.max_sentences, "at most {n} sentences, and at least one"),
        Constraint("exact_sentences", Count, rules.exact_sentences, "exactly {n} sentences"),
        Constraint(
            "exact_bullets", Count, rules.exact_bullets, "exactly {n} lines that begin with *, - or •"
        ),
        Constraint("contains", Texts, rules.contains, "each of {text} stands in it as a word"),
        Constraint(
            "contains_times", TextTimes, rules.contains_times, "{text} stands in it exactly {n} times"
        ),
        Constraint("excludes", Texts, rules.excludes, "none of {text} stands in it as a word"),
        Constraint("starts_with", Text, rules.starts_with, "begins with {text}"),
        Constraint("ends_with", Text, rules.ends_with, "ends with {text}"),
        Constraint("all_lowercase", Nothing, rules.all_lowercase, "no capital letter, and a letter"),
        Constraint("all_uppercase", Nothing, rules.all_uppercase, "no small letter, and a letter"),
        Constraint("no_commas", Nothing, rules.no_commas, "no comma, and a word"),
        Constraint("json", Nothing, rules.is_json, "the whole output is one JSON value, a fence aside"),
        Constraint("n_paragraphs", Count, rules.n_paragraphs, "exactly {n} blocks between empty lines"),
        Constraint("language_letters", Script, rules.language_letters, "nine letters in ten are of {script}"),
        Constraint("title_case", Nothing, rules.title_case, "each word but small ones begins with a capital"),
        Constraint("exact_lines", Count, rules.exact_lines, "exactly {n} lines that are not empty"),
        Constraint("numbered_list", Count, rules.numbered_list, "exactly {n} lines numbered from 1 in order"),
        Constraint(
            "placeholder_count", Count, rules.placeholder_count, "at least {n} placeholders as [name]"
        ),
        Constraint("quote_wrapped", Nothing, rules.quote_wrapped, "the whole output in double quotes"),
    )
}


def check_constraint(constraint: Mapping[str, Any]) -> None:
    """See that a constraint is of a known kind and has the parameters it needs.

    Raises:
        InputError: With what was found and what this kind takes.

    Examples:
        >>> check_constraint({"kind": "min_words", "n": 40})
    """
    _read(constraint)


def keeps(text: str, constraint: Mapping[str, Any]) -> bool:
    """Whether a text keeps to one constraint; an empty text keeps to none.

    Examples:
        >>> keeps("one two", {"kind": "max_words", "n": 2}), keeps("", {"kind": "no_commas"})
        (True, False)
    """
    known, parameters = _read(constraint)
    return bool(text.strip()) and known.holds(text.strip(), parameters)


def constraints(sample: Sample, response: Response) -> float:
    """Share of the constraints that the output keeps to."""
    wanted = sample.extra["constraints"]
    return sum(keeps(response.output, one) for one in wanted) / len(wanted) if wanted else 1.0


def constraints_strict(sample: Sample, response: Response) -> float:
    """1 when the output keeps to all constraints."""
    return float(constraints(sample, response) == 1.0)


def _read(constraint: Mapping[str, Any]) -> tuple[Constraint, msgspec.Struct]:
    kind = constraint.get("kind")
    if kind not in CONSTRAINTS:
        raise InputError(
            f"no constraint is of kind {kind!r}; there are {', '.join(CONSTRAINTS)}", field="constraints"
        )
    known = CONSTRAINTS[kind]
    given = {name: value for name, value in constraint.items() if name != "kind"}
    try:
        return known, msgspec.convert(given, known.parameters)
    except msgspec.ValidationError as error:
        takes = ", ".join(known.parameters.__struct_fields__) or "nothing"
        raise InputError(
            f"the constraint {kind} has wrong parameters ({str(error).rstrip('.')}); it takes {takes}",
            field="constraints",
        ) from error


CONSTRAINT_METRICS = (
    Metric("constraints", ("output",), constraints, extra=("constraints",)),
    Metric("constraints_strict", ("output",), constraints_strict, extra=("constraints",)),
)
