"""JSON, schemas, tool calls and constraints: by hand, and for any input."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.records import InputError, Response, Sample, ToolCall
from saltus.tasks.metrics import CONSTRAINTS, METRICS, check_constraint
from saltus.tasks.metrics.calls import calls_made
from saltus.tasks.metrics.constraints import keeps
from saltus.tasks.metrics.json_text import MISSING, parse_repaired, parse_strict


def value(name: str, output: str = "", made: tuple[ToolCall, ...] = (), **extra: Any) -> float:
    sample = Sample(task="t", task_version="1", id="s", input="q", target="", extra=extra)
    said = Response(run="r", model="m", task="t", sample="s", output=output, tool_calls=made)
    return METRICS[name].compute(sample, said)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
CONTAINER = st.lists(JSON, max_size=4) | st.dictionaries(st.text(), JSON, max_size=4)


@given(JSON)
def test_json_is_read_as_it_is(found: Any) -> None:
    text = json.dumps(found)
    assert parse_strict(text) == found
    assert value("json_valid", text) == value("json_prefix", text) == 1


@given(
    CONTAINER, st.sampled_from(["{}", "Here: {} Done.", "```json\n{}\n```", "I think:\n```\n{}\n```\nOK?"])
)
def test_json_is_found_in_what_stands_around_it(found: Any, around: str) -> None:
    text = around.replace("{}", json.dumps(found))
    assert parse_repaired(text) == found


UNTOUCHED = '{"a": "True, None // no"}'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": [1, 2,], }', {"a": [1, 2]}),
        ("{'a': 'it\\'s', 'b': None, 'c': True}", {"a": "it's", "b": None, "c": True}),
        ('{"a": 1, // one\n "b": 2 /* two */}', {"a": 1, "b": 2}),
        ('{"a": {"b": [1, 2', {"a": {"b": [1, 2]}}),
        (UNTOUCHED, {"a": "True, None // no"}),
        ("The set {x} is [1, 2].", [1, 2]),
        ("no JSON here", MISSING),
        ('{"a": "cut in the mid', MISSING),
        ("[" * 100_000, MISSING),
    ],
)
def test_repairs(text: str, found: Any) -> None:
    assert parse_repaired(text) == found
    assert value("json_valid", text) == (text == UNTOUCHED)


@given(st.text(alphabet="{}[]\",:'\\ntf1 ", max_size=60))
def test_anything_may_come(text: str) -> None:
    strict, repaired = parse_strict(text), parse_repaired(text)
    if isinstance(strict, dict | list):
        assert repaired == strict
    assert 0 <= value("json_prefix", text) <= 1


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 0},
        "home": {"type": "object", "properties": {"zip": {"$ref": "#/$defs/zip"}}, "required": ["zip"]},
    },
    "required": ["name", "age", "home"],
    "$defs": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
}


@pytest.mark.parametrize(
    ("output", "valid", "repaired", "share"),
    [
        ('{"name": "A", "age": 3, "home": {"zip": "12345"}}', 1, 1, 1),
        ('Sure: {"name": "A", "age": 3, "home": {"zip": "12345",}}', 0, 1, 1),
        ('{"name": "A", "age": -3, "home": {"zip": "12345"}}', 0, 0, 4 / 5),
        ('{"name": "A"}', 0, 0, 2 / 4),
        ("{}", 0, 0, 1 / 4),
        ("nothing", 0, 0, 0),
    ],
)
def test_schema(output: str, valid: float, repaired: float, share: float) -> None:
    assert value("schema_valid", output, schema=SCHEMA) == valid
    assert value("schema_repaired", output, schema=SCHEMA) == repaired
    assert value("schema_share", output, schema=SCHEMA) == pytest.approx(share)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "objekt"}, "no JSON schema"),
        ({"$ref": "https://127.0.0.1:9/x.json"}, "refers to what is not in it"),
    ],
)
def test_a_bad_schema_is_named_and_nothing_is_fetched(schema: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        value("schema_valid", "{}", schema=schema)


WEATHER = {"name": "weather", "arguments": {"city": "Rome", "days": 2}}
MAIL = {"name": "mail", "arguments": {"to": "a@b.c"}}


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name, json.dumps(arguments))


@pytest.mark.parametrize(
    ("made", "strict", "name", "arguments", "f1"),
    [
        ((call("weather", city="Rome", days=2), call("mail", to="a@b.c")), 1, 1, 1, 1),
        ((call("mail", to="a@b.c"), call("weather", city="Rome", days=2.0)), 1, 1, 1, 1),
        ((call("weather", city="Rome", days=True), call("mail", to="a@b.c")), 0, 1, 2 / 3, 0.8),
        ((call("weather", city="Rome", days=2),), 0, 0, 2 / 3, 0.75),
        ((call("weather", city="Rome", days=2, unit="C"), call("mail", to="a@b.c")), 0, 1, 1, 10 / 11),
        ((ToolCall("weather", "{bad"), call("mail", to="a@b.c")), 0, 1, 1 / 3, 6 / 8),
        ((), 0, 0, 0, 0),
    ],
)
def test_tool_calls(
    made: tuple[ToolCall, ...], strict: float, name: float, arguments: float, f1: float
) -> None:
    extra = {"calls": [WEATHER, MAIL]}
    assert value("tool_calls", made=made, **extra) == strict
    assert value("tool_name", made=made, **extra) == name
    assert value("tool_arguments", made=made, **extra) == pytest.approx(arguments)
    assert value("tool_f1", made=made, **extra) == pytest.approx(f1)
    assert math.isnan(value("tool_irrelevance", made=made, **extra))


def test_order_counts_where_the_sample_says_so() -> None:
    made = (call("mail", to="a@b.c"), call("weather", city="Rome", days=2))
    for ordered, strict in ((True, 0.0), (False, 1.0)):
        sample = Sample(
            task="t", task_version="1", id="s", input="", target="",
            extra={"calls": [WEATHER, MAIL], "ordered": ordered},
        )  # fmt: skip
        said = Response(run="r", model="m", task="t", sample="s", tool_calls=made)
        assert METRICS["tool_calls"].compute(sample, said) == strict
        order = METRICS["tool_order"].compute(sample, said)
        assert order == 0.5 if ordered else math.isnan(order)


def test_no_call_where_none_belongs() -> None:
    assert value("tool_irrelevance", "The sky is blue.", calls=[]) == 1
    sample = Sample(task="t", task_version="1", id="s", input="", target="", extra={"calls": []})
    said = Response(run="r", model="m", task="t", sample="s", tool_calls=(call("mail"),))
    assert [
        METRICS[name].compute(sample, said) for name in ("tool_irrelevance", "tool_calls", "tool_f1")
    ] == [0, 0, 0]
    assert math.isnan(METRICS["tool_arguments"].compute(sample, said))


@pytest.mark.parametrize(
    "output",
    [
        '<tool_call>{"name": "mail", "arguments": {"to": "a@b.c"}}</tool_call>',
        'I will send it.\n```json\n{"name": "mail", "arguments": {"to": "a@b.c"}}\n```',
        '[{"name": "mail", "parameters": {"to": "a@b.c"}}]',
        '{"type": "function", "function": {"name": "mail", "arguments": "{\\"to\\": \\"a@b.c\\"}"}}',
        '<tool_call>{"name": "mail", "arguments": {"to": "a@b.c"}}',
    ],
)
def test_calls_are_read_from_text(output: str) -> None:
    [made] = calls_made(Response(run="r", model="m", task="t", sample="s", output=output))
    assert (made.name, made.arguments) == ("mail", {"to": "a@b.c"})


KEPT: list[tuple[dict[str, Any], str, str]] = [
    ({"kind": "min_words", "n": 3}, "one two-three don't", "one two"),
    ({"kind": "max_words", "n": 2}, "one two", "one two three"),
    ({"kind": "exact_words", "n": 2}, "one, two!", "one"),
    ({"kind": "min_sentences", "n": 2}, "One. Two.", "One, e.g. this."),
    ({"kind": "max_sentences", "n": 1}, "Mr. Lee left.", "One. Two."),
    ({"kind": "exact_sentences", "n": 2}, "One? Two!", "One."),
    ({"kind": "exact_bullets", "n": 2}, "Here:\n- a\n* b", "- a\n-b"),
    ({"kind": "contains", "text": ["sun", "moon"]}, "The Moon and the sun.", "sunny moon"),
    ({"kind": "contains", "text": "Sun", "case": True}, "The Sun", "the sun"),
    ({"kind": "contains_times", "text": "tea", "n": 2}, "Tea, tea and teapots", "tea"),
    ({"kind": "excludes", "text": "tea"}, "teapots", "a tea"),
    ({"kind": "starts_with", "text": "Dear Ann"}, "dear Ann, ...", "My dear Ann"),
    ({"kind": "ends_with", "text": "The end."}, "So. The end.\n", "The end. So."),
    ({"kind": "all_lowercase"}, "all of it, 3.", "Not all"),
    ({"kind": "all_uppercase"}, "ALL OF IT", "NOT aLL"),
    ({"kind": "no_commas"}, "no such thing", "one, two"),
    ({"kind": "json"}, "```json\n[1]\n```", "[1"),
    ({"kind": "n_paragraphs", "n": 2}, "a\nb\n\nc", "a\nb"),
    ({"kind": "language_letters", "script": "cyrillic"}, "Привет, мир 42", "Привет world"),
    ({"kind": "title_case"}, "The Sound of Music", "The sound Of Music"),
    ({"kind": "exact_lines", "n": 2}, "a\n\nb", "a"),
    ({"kind": "numbered_list", "n": 2}, "1. a\n2) b", "1. a\n3. b"),
    ({"kind": "placeholder_count", "n": 2}, "Dear [name], on [date]", "[a link](x) and [name]"),
    ({"kind": "quote_wrapped"}, '"All of it."', '"All" of it.'),
]


@pytest.mark.parametrize(("constraint", "good", "bad"), KEPT, ids=[str(one[0]["kind"]) for one in KEPT])
def test_constraints(constraint: dict[str, Any], good: str, bad: str) -> None:
    check_constraint(constraint)
    assert keeps(good, constraint)
    assert not keeps(bad, constraint)
    assert not keeps(" \n", constraint)
    assert value("constraints", good, constraints=[constraint, {"kind": "contains", "text": "zzz"}]) == 0.5
    assert value("constraints_strict", good, constraints=[constraint]) == 1


def test_every_constraint_is_tested() -> None:
    assert {one["kind"] for one, _, _ in KEPT} == set(CONSTRAINTS)


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        ({"kind": "rhymes"}, "no constraint is of kind 'rhymes'; there are min_words"),
        ({"kind": "min_words"}, "min_words has wrong parameters .*; it takes n"),
        ({"kind": "min_words", "n": -1}, "it takes n"),
        ({"kind": "json", "n": 1}, "it takes nothing"),
        ({"kind": "language_letters", "script": "runes"}, "it takes script"),
    ],
)
def test_a_bad_constraint_is_refused(constraint: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_constraint(constraint)


@given(st.sampled_from([one for one, _, _ in KEPT]), st.text(max_size=60))
def test_constraints_take_any_text(constraint: dict[str, Any], text: str) -> None:
    assert keeps(text, constraint) in (True, False)
