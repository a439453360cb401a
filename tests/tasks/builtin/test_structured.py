"""Tools, formats and instructions: the targets hold by checks that are written anew here."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from saltus.records import Response, Sample
from saltus.tasks.metrics import get_metric

Built = Callable[[str], dict[str, tuple[Sample, ...]]]
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}


def valid(schema: Mapping[str, Any], value: Any) -> bool:
    """The part of JSON Schema that the suites use."""
    known = {"type", "description", "enum", "minimum", "maximum", "minLength", "maxLength"}
    known |= {"items", "minItems", "maxItems", "properties", "required", "additionalProperties"}
    assert set(schema) <= known
    if not isinstance(value, TYPES[schema["type"]]) or (
        schema["type"] != "boolean" and isinstance(value, bool)
    ):
        return False
    if isinstance(value, dict):
        names = schema["properties"]
        return set(value) == set(schema["required"]) == set(names) and all(
            valid(names[k], value[k]) for k in value
        )
    if isinstance(value, list):
        fits = schema["minItems"] <= len(value) <= schema["maxItems"]
        return fits and all(valid(schema["items"], one) for one in value)
    size = len(value) if isinstance(value, str) else value
    low = schema.get("minLength", schema.get("minimum", size))
    high = schema.get("maxLength", schema.get("maximum", size))
    return bool(low <= size <= high) and value in schema.get("enum", [value])


def score(metric: str, sample: Sample, output: str) -> float:
    response = Response(run="r", model="m", task=sample.task, sample=sample.id, output=output)
    found: Any = get_metric(metric)
    value: float = found.compute(sample, response)
    return value


@pytest.mark.parametrize("task", ["single", "sequence", "perhaps"])
def test_calls_are_valid_and_their_values_stand_in_the_request(task: str, built: Built) -> None:
    for sample in built("tools")[task]:
        tools = {tool["function"]["name"]: tool["function"]["parameters"] for tool in sample.extra["tools"]}
        assert len(tools) == int(sample.slices["offered"])
        assert json.loads(sample.target) == sample.extra["calls"]
        assert len(sample.extra["calls"]) == int(sample.slices["calls"])
        places = []
        for call in sample.extra["calls"]:
            assert valid(tools[call["name"]], call["arguments"])
            stated = [
                sample.input.find(str(v)) for v in call["arguments"].values() if not isinstance(v, bool)
            ]
            assert min(stated) >= 0
            places.append(min(stated))
            for name, value in call["arguments"].items():
                if isinstance(value, bool):
                    assert f" {'on' if value else 'off'}" in sample.input, name
        assert sample.extra["ordered"] == (task == "sequence")


def test_half_of_perhaps_need_no_call_and_no_tool_there_would_serve(built: Built) -> None:
    verbs = {  # a word of each tool's requests that no other's have
        "get_weather": "weather",
        "set_alarm": "alarm",
        "send_message": "the message",
        "reserve_table": "reserve",
        "convert_currency": "convert",
        "add_to_shopping_list": "shopping list",
        "translate": "translate",
        "set_heating": "heating",
        "switch_light": "turn the light",
        "find_route": "find the way",
        "start_timer": "timer",
        "track_parcel": "parcel",
    }
    samples = built("tools")["perhaps"]
    assert sum(not sample.extra["calls"] for sample in samples) == 100
    for sample in samples:
        [needed] = [name for name, words in verbs.items() if words in sample.input]
        offered = {tool["function"]["name"] for tool in sample.extra["tools"]}
        assert (needed in offered) == bool(sample.extra["calls"])


def test_calls_in_plain_text(built: Built) -> None:
    for sample in built("tools")["plain"]:
        assert "tools" not in sample.extra
        call = json.loads(sample.target)
        assert [call] == sample.extra["calls"]
        signature = re.search(rf"^- {call['name']}\((.*?)\): ", sample.input, re.MULTILINE)
        assert signature
        assert [part.partition(":")[0] for part in signature[1].split(", ")] == list(call["arguments"])
        assert score("tool_calls", sample, sample.target) == 1
        assert score("tool_calls", sample, sample.target.replace(call["name"], "other")) == 0


@pytest.mark.parametrize("task", ["object", "schema"])
def test_objects_follow_their_schema(task: str, built: Built) -> None:
    for sample in built("format")[task]:
        value = json.loads(sample.target)
        assert valid(sample.extra["schema"], value)
        assert json.dumps(value) == sample.target.strip()
        assert not valid(sample.extra["schema"], {**value, "more": 1})
        assert not valid(sample.extra["schema"], {})
        assert score("schema_valid", sample, sample.target) == 1
        assert score("schema_valid", sample, "{}") == 0
        if task == "schema":
            assert json.dumps(sample.extra["schema"]) in sample.input


def told(sample: Sample) -> dict[str, str]:
    """The facts of a text, by key."""
    words = {
        "age": r"is (\d+) years old",
        "city": r"lives in (\w+)",
        "colour": r"likes the colour (\w+)",
        "month": r"was born in (\w+)",
        "height": r"is (\d+) centimetres tall",
        "collects": r"collects (\w+)",
        "room": r"works in room (\d+)",
    }
    text = sample.input.partition("Text: ")[2].partition("\n")[0]
    facts = {key: found[1] for key, pattern in words.items() if (found := re.search(pattern, text))}
    return {"name": text.split()[0], **facts}


def test_objects_say_what_the_text_says(built: Built) -> None:
    for sample in built("format")["object"]:
        value = json.loads(sample.target)
        flat = {
            "name": value["name"],
            **value.get("facts", {key: value[key] for key in value if key != "name"}),
        }
        assert {key: str(one) for key, one in flat.items()} == told(sample)
        assert len(flat) == int(sample.slices["fields"])


def test_rows_say_what_the_text_says(built: Built) -> None:
    marks = {"semicolon": ";", "vertical bar": "|", "slash": "/", "plus sign": "+", "hash sign": "#"}
    for sample in built("format")["rows"]:
        match = re.search(r"on one line: (.*)\. Put a (.*) between", sample.input)
        assert match
        facts = told(sample)
        assert marks[match[2]].join(facts[key] for key in match[1].split(", ")) == sample.target.strip()


def keeps(text: str, rule: Mapping[str, Any]) -> bool:  # noqa: PLR0911, PLR0912 - one case a kind
    """The rules again, from their plain meaning."""
    words = re.findall(r"[\w'\[\]-]+", text)
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", text.strip('"')) if part]
    lines = [line for line in text.splitlines() if line.strip()]
    wanted = rule.get("text", "")
    pieces = [wanted] if isinstance(wanted, str) else wanted
    counts = [len(re.findall(rf"(?<!\w){re.escape(one)}(?!\w)", text, re.IGNORECASE)) for one in pieces]
    low = text.lower()
    match rule["kind"]:
        case "min_words":
            return len(words) >= rule["n"]
        case "max_words":
            return len(words) <= rule["n"]
        case "exact_words":
            return len(words) == rule["n"]
        case "exact_sentences":
            return len(sentences) == rule["n"]
        case "n_paragraphs":
            return len(text.split("\n\n")) == rule["n"]
        case "contains":
            return all(counts)
        case "contains_times":
            return counts == [rule["n"]]
        case "excludes":
            return not any(counts)
        case "starts_with":
            return low.startswith(wanted.lower())
        case "ends_with":
            return low.endswith(wanted.lower())
        case "quote_wrapped":
            return text[0] == text[-1] == '"'
        case "all_lowercase":
            return text == low
        case "all_uppercase":
            return text == text.upper()
        case "title_case":
            return all(word[0].isupper() for word in words)
        case "no_commas":
            return "," not in text
        case "placeholder_count":
            return len(re.findall(r"\[\w+\]", text)) >= rule["n"]
        case "exact_bullets":
            return len(lines) == rule["n"] and all(line.startswith("- ") for line in lines)
        case "numbered_list":
            return [line.split(".")[0] for line in lines] == [str(i) for i in range(1, rule["n"] + 1)]
        case "exact_lines":
            return len(lines) == rule["n"]
    raise AssertionError(rule)


@pytest.mark.parametrize("task", ["prose", "lists", "titles"])
def test_the_reference_keeps_to_all_rules(task: str, built: Built) -> None:
    for sample in built("instructions")[task]:
        rules = sample.extra["constraints"]
        assert len(rules) == int(sample.slices["constraints"]) == len({rule["kind"] for rule in rules})
        assert all(keeps(sample.target, rule) for rule in rules), sample.id
        assert score("constraints_strict", sample, sample.target) == 1


FIXED = (
    "Yes.",
    "The lamp is red.",
    "LAMP",
    '"lamp"',
    '"LAMP IS BIG AND RED"',
    "- lamp\n- lamp",
    "- a\n- b\n- c\n- d",
    "1. A\n2. B\n3. C",
    "A b. C d. E f. G h.",
    "A [name] b [name] c [name].",
    "a.\n\nb.\n\nc.\n\nd.",
)


@pytest.mark.parametrize("task", ["prose", "lists", "titles"])
def test_no_fixed_answer_beats_chance(task: str, built: Built) -> None:
    for band in "12345":
        some = [sample for sample in built("instructions")[task] if sample.slices["difficulty"] == band]
        for fixed in FIXED:
            share = sum(score("constraints_strict", sample, fixed) for sample in some) / len(some)
            assert share <= (some[0].chance or 0) + 0.1, (band, fixed)


def test_all_kinds_of_rule_come(built: Built) -> None:
    kinds = Counter(
        rule["kind"]
        for task in built("instructions").values()
        for s in task
        for rule in s.extra["constraints"]
    )
    assert len(kinds) == 19
    assert min(kinds.values()) >= 20


def test_every_parameter_of_a_rule_stands_in_the_prompt(built: Built) -> None:
    for samples in built("instructions").values():
        for sample in samples:
            for rule in sample.extra["constraints"]:
                pieces = rule.get("text", [])
                for piece in [pieces] if isinstance(pieces, str) else pieces:
                    assert f'"{piece}' in sample.input
                if "n" in rule and not (rule["kind"] == "placeholder_count" and rule["n"] == 1):
                    assert re.search(rf"\b{rule['n']}\b", sample.input)
