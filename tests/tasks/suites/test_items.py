"""From rows to samples: every kind, every key, templates, answers, few-shot; and each fault of an item."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from saltus.records import InputError, Sample
from saltus.tasks import Task, get_suite
from saltus.tasks.metrics import metrics_for
from saltus.tasks.suites.kinds import PRESETS
from saltus.tasks.validate import check_suite

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "tasks.md"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
DOCUMENTS = [{"id": "a", "title": "T", "text": "One."}, {"id": 2, "text": "Two."}]


def make(folder: Path, items: list[dict[str, Any]], **task: Any) -> Task:
    whole = {"tasks": [{"name": "t", "items": items} | task]}
    (folder / "s.yaml").write_text(json.dumps(whole))
    return get_suite(folder / "s.yaml").tasks[0]


def samples(folder: Path, *items: dict[str, Any], **task: Any) -> list[Sample]:
    return list(make(folder, list(items), **task).items())


KINDS: dict[str, dict[str, Any]] = {
    "generation": {"input": "a", "target": "b"},
    "multiple_choice": {"input": "a", "choices": ["b", "c"], "answer": 1},
    "loglikelihood": {"input": "a", "target": "b"},
    "perplexity": {"target": "b"},
    "tool_call": {"input": "a", "tools": [TOOL], "calls": [{"name": "weather", "arguments": {"city": "b"}}]},
    "structured": {"input": "a", "schema": {"type": "object"}},
    "multi_turn": {"input": "a", "turns": ["b"], "target": "c"},
    "long_context": {"input": "a", "target": "b", "documents": DOCUMENTS},
    "grounded": {"input": "a", "target": "b", "documents": DOCUMENTS, "evidence": ["a", "2"]},
    "code": {"input": "a", "tests": "assert f(1) == 2", "entry_point": "f"},
}


@pytest.mark.parametrize("kind", list(PRESETS))
def test_every_kind(tmp_path: Path, kind: str) -> None:
    item = KINDS[kind]
    task = make(tmp_path, [item], kind=kind)
    (sample,) = task.items()
    preset = PRESETS[kind]  # type: ignore[index]
    assert task.kind == preset.asks
    assert metrics_for(task)
    assert sample.task_version == task.version
    for key in ("tools", "calls", "schema", "turns", "documents", "tests", "entry_point"):
        assert sample.extra.get(key) == item.get(key)
    if kind not in ("loglikelihood", "perplexity", "long_context"):
        assert make(tmp_path, [item]).kind == preset.asks  # seen from the item itself


def test_kinds_ask_as_the_guide_says(tmp_path: Path) -> None:
    (perplexity,) = samples(tmp_path, KINDS["perplexity"], kind="perplexity")
    assert (perplexity.input, perplexity.target) == ("", "b")
    (text,) = samples(tmp_path, {"input": "b"}, kind="perplexity", prompt="<{input}>")
    assert text.target == "<b>"
    (grounded,) = samples(tmp_path, KINDS["grounded"])
    assert grounded.input == "[a] T: One.\n\n[2] Two.\n\na"
    (long,) = samples(tmp_path, {"input": "a", "target": "b"}, kind="long_context")
    assert long.input == "a"
    tools = make(tmp_path, [KINDS["tool_call"]])
    assert tools.metrics[0] == "tool_calls"
    assert tools.stop == ()
    constrained = make(tmp_path, [{"input": "a", "constraints": [{"kind": "no_commas"}]}])
    assert constrained.metrics == ("constraints", "constraints_strict")
    refusal = make(tmp_path, [{"input": "a", "refusal": "comply", "target": "b"}])
    assert {"exact_match", "refusal_correct"} <= set(refusal.metrics)


def test_settings_reach_the_task(tmp_path: Path) -> None:
    task = make(
        tmp_path,
        [KINDS["generation"]],
        description="One sentence.",
        max_tokens=7,
        stop="END",
        temperature=0.5,
        top_p=0.9,
        epochs=3,
        cluster="story",
        metrics=["f1"],
        chance=0.25,
    )
    assert (task.max_tokens, task.stop, task.temperature, task.top_p) == (7, ("END",), 0.5, 0.9)
    assert (task.epochs, task.cluster, task.metrics, task.chance) == (3, "story", ("f1",), 0.25)
    assert task.description == "One sentence."


def test_what_a_task_gives_to_each_item_and_what_an_item_overrides(tmp_path: Path) -> None:
    own = {**TOOL, "function": {**TOOL["function"], "name": "mine"}}
    one, other = samples(
        tmp_path, {"input": "a", "calls": []}, {"input": "b", "calls": [], "tools": [own]}, tools=[TOOL]
    )
    assert one.extra["tools"] == [TOOL]
    assert other.extra["tools"] == [own]


def test_templates_fill_every_part(tmp_path: Path) -> None:
    (sample,) = samples(
        tmp_path,
        {"q": "Q?", "options": ["x", "y"], "right": "y", "who": "ann", "level": 3, "n": 5},
        prompt="{% if level > 2 %}Hard: {% endif %}{{ q }}",
        system="You are {{ who | title }}.",
        turns=["And {{ n + 1 }}?"],
        choices="{{ options }}",
        answer="{{ right }}",
        delimiter=" ",
        slices={"difficulty": "level"},
        id="n",
    )
    assert sample.input == "Hard: Q?"
    assert sample.extra == {"system": "You are Ann.", "turns": ["And 6?"]}
    assert (sample.choices, sample.answer, sample.target) == ((" x", " y"), 1, " y")
    assert (sample.id, sample.slices) == ("5", {"difficulty": "3"})


def test_braces_of_the_item_are_left_alone(tmp_path: Path) -> None:
    for prompt in ("<{input}>", "<{{ input }}>", "<{input}>{{ '' }}"):
        (sample,) = samples(tmp_path, {"input": "{input} {{ x }} {% y %}", "target": "z"}, prompt=prompt)
        assert sample.input == "<{input} {{ x }} {% y %}>"


def test_a_column_that_gives_the_target_is_no_answer(tmp_path: Path) -> None:
    (one,) = samples(
        tmp_path, {"question": "a", "answer": "b"}, columns={"input": "question", "target": "answer"}
    )
    (two,) = samples(tmp_path, {"input": "a", "answer": "b"}, target="{{ answer | upper }}")
    (three,) = samples(
        tmp_path,
        {"input": "a", "choices": ["b", "c"], "answer": 1},
        target="{{ choices[answer] }}",
        kind="generation",
    )
    (four,) = samples(tmp_path, {"input": "a", "target": "b", "schema": 3}, columns={"schema": ""})
    assert [one.target, two.target, three.target, four.target] == ["b", "B", "c", "b"]
    assert three.choices == ()


@pytest.mark.parametrize(
    ("choices", "answer", "index"),
    [
        (["a", "b"], 1, 1),
        (["a", "b"], "b", 1),
        (["a", "b"], "B", 1),
        (["a", "b"], "1", 1),
        (["1", "0"], 1, 1),
        (["B", "x", "y"], 0, 0),
        (["10", "20"], "20", 1),
    ],
)
def test_an_answer_is_an_index_a_letter_or_the_text(
    tmp_path: Path, choices: list[str], answer: Any, index: int
) -> None:
    (sample,) = samples(tmp_path, {"input": "q", "choices": choices, "answer": answer})
    assert sample.answer == index


def test_the_target_can_name_the_choice(tmp_path: Path) -> None:
    (sample,) = samples(tmp_path, {"input": "q", "choices": ["A", "B"], "target": "B"})
    assert sample.answer == 1


def test_few_shot_is_the_same_for_all_and_never_the_item_itself(tmp_path: Path) -> None:
    items = [{"input": f"q{i}", "target": f"a{i}"} for i in range(6)]
    found = samples(tmp_path, *items, few_shot=2, delimiter=" ")
    shots = [sample.input.removesuffix(item["input"]) for sample, item in zip(found, items, strict=True)]
    usual = max(set(shots), key=shots.count)
    assert shots.count(usual) == 4
    for item, before in zip(items, shots, strict=True):
        assert item["input"] not in before
        assert before.count("\n\n") == 2
    assert found == samples(tmp_path, *items, few_shot=2, delimiter=" ")
    other = samples(tmp_path, *items, few_shot={"k": 2, "seed": 5}, delimiter=" ")
    assert other[0].task_version != found[0].task_version


def test_few_shot_from_elsewhere(tmp_path: Path) -> None:
    pool = [{"input": "p", "choices": ["x", "y"], "answer": 0}]
    (sample,) = samples(
        tmp_path,
        {"input": "q", "choices": ["x", "y"], "answer": 1},
        few_shot={"k": 1, "items": pool, "separator": "\n"},
        prompt="{input}:",
        delimiter=" ",
    )
    assert sample.input == "p: x\nq:"


def test_the_version_follows_what_is_asked_and_nothing_else(tmp_path: Path) -> None:
    item = {"input": "a", "target": "b", "extra": {"k": 1}}
    base = make(tmp_path, [item]).version
    for same in ({"metrics": ["f1"]}, {"kind": "generation"}, {"chance": 0.1}, {"cluster": "x"}):
        assert make(tmp_path, [item], **same).version == base
    for other in (
        {"prompt": "Q {input}"},
        {"system": "s"},
        {"documents": DOCUMENTS},
        {"limit": 1},
        {"delimiter": " "},
    ):
        assert make(tmp_path, [item], **other).version != base
    assert make(tmp_path, [item | {"target": "c"}]).version != base


GOOD: dict[str, Any] = {"input": "a", "target": "b"}
CHOICE: dict[str, Any] = {"input": "a", "choices": ["x", "y"], "answer": 0}


@pytest.mark.parametrize(
    ("item", "field", "said"),
    [
        ({"input": "a"}, "target", "target is missing or empty"),
        ({"input": "a", "target": ""}, "target", "target is missing or empty"),
        ({"target": "b"}, "input", "input is missing; write what is asked"),
        ({"input": "", "target": "b"}, "input", "input is empty"),
        (GOOD | {"targt": "c"}, "targt", "'targt' is no key of one; did you mean 'target'?"),
        (GOOD | {"chance": 2}, "chance", "Expected `float` <= 1.0"),
        (GOOD | {"answer": 1}, "choices", "choices and answer belong to multiple-choice items"),
        (CHOICE | {"answer": 2}, "answer", "answer is 2, it must be the right choice's index, 0 to 1"),
        (CHOICE | {"answer": -1}, "answer", "answer is -1"),
        (CHOICE | {"answer": "z"}, "answer", "answer is 'z'"),
        (CHOICE | {"answer": None}, "answer", "answer is None"),
        (CHOICE | {"choices": ["x"]}, "choices", "two choices or more, this one has 1"),
        (CHOICE | {"choices": ["x", "x"]}, "choices", "the right choice 'x' stands twice"),
        (CHOICE | {"choices": ["1", "0"], "answer": "1"}, "answer", "could mean the choices 0 or 1"),
        (CHOICE | {"target": "y"}, "target", "target is 'y' but choice 0 is 'x'"),
        (GOOD | {"tools": [{"name": "f"}]}, "tools[0]", 'expected {"type": "function"'),
        (GOOD | {"tools": [TOOL, TOOL]}, "tools[1].function.name", "two tools are called 'weather'"),
        (
            GOOD | {"tools": [{"type": "function", "function": {"name": "a b"}}]},
            "tools[0].function.name",
            "'a b', expected at most 64 letters",
        ),
        (
            GOOD
            | {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "objekt"}}}]},
            "tools[0].function.parameters",
            "no JSON schema (type: 'objekt'",
        ),
        (GOOD | {"schema": {"required": "x"}}, "schema", "schema is no JSON schema (required:"),
        (GOOD | {"calls": [{"name": "f"}]}, "calls[0]", "a mapping with name and arguments was expected"),
        (
            GOOD | {"tools": [TOOL], "calls": [{"name": "wether", "arguments": {}}]},
            "calls[0].name",
            "no tool of this item; did you mean 'weather'?",
        ),
        (
            GOOD | {"tools": [TOOL], "calls": [{"name": "weather", "arguments": {}}]},
            "calls[0].arguments",
            "'city' is a required property",
        ),
        (GOOD | {"constraints": [{"n": 3}]}, "constraints[0]", "a mapping with a kind was expected"),
        (GOOD | {"constraints": [{"kind": "max_word"}]}, "constraints[0].kind", "did you mean 'max_words'?"),
        (GOOD | {"constraints": [{"kind": "max_words", "n": "x"}]}, "constraints[0]", "it takes n"),
        (GOOD | {"tests": "def f(:\n"}, "tests", "tests is no Python (invalid syntax in line 1 of it)"),
        (GOOD | {"tests": "x", "entry_point": "a b"}, "entry_point", "the name of a function was expected"),
        (GOOD | {"turns": ["ok", " "]}, "turns[1]", "what the user says next was expected"),
        (GOOD | {"documents": [{"id": "a"}]}, "documents[0]", "a mapping with id and text was expected"),
        (GOOD | {"documents": [{"text": "x"}]}, "documents[0].id", "documents[0] has no id"),
        (GOOD | {"documents": [DOCUMENTS[0]] * 2}, "documents[1].id", "two documents have the id 'a'"),
        (GOOD | {"documents": DOCUMENTS, "evidence": ["c"]}, "evidence", "names the document 'c'"),
        (
            GOOD | {"evidence": ["c"]},
            "evidence",
            "names the document 'c', which this item has not; there are none",
        ),
        (GOOD | {"refusal": "no"}, "refusal", "Invalid enum value 'no'"),
        (GOOD | {"pair": "q"}, "pair", "pair is 'q', which is the id of no item of this task"),
        (GOOD | {"extra": {"tools": 3}}, "tools", "tools is 3, a list of tool definitions was expected"),
        (GOOD | {"extra": {"documents": 3}}, "documents", "documents is 3, see docs/tasks.md for its shape"),
        (GOOD | {"extra": {"tests": [3]}}, "tests", "tests is [3], see docs/tasks.md for its shape"),
    ],
)
def test_every_fault_of_an_item(tmp_path: Path, item: dict[str, Any], field: str, said: str) -> None:
    kind = "multiple_choice" if "choices" in item else "generation"
    file = tmp_path / "items.jsonl"
    file.write_text(json.dumps(KINDS[kind]) + "\n\n" + json.dumps(item) + "\n")
    report = check_suite(str(file))
    assert [(problem["line"], problem["field"]) for problem in report.problems] == [(3, field)], (
        report.problems
    )
    assert said in report.problems[0]["message"]
    with pytest.raises(InputError) as caught:
        get_suite(file)
    assert (caught.value.path, caught.value.line) == (str(file), 3)


@pytest.mark.parametrize(
    ("kind", "key"), [(kind, key) for kind, preset in PRESETS.items() for key in preset.needs]
)
def test_items_without_what_their_kind_needs_are_refused(tmp_path: Path, kind: str, key: str) -> None:
    item = {name: value for name, value in KINDS[kind].items() if name not in (key, "answer")} | {
        "target": "b"
    }
    with pytest.raises(InputError, match=r"is missing, and items of kind .* need it|two choices or more"):
        make(tmp_path, [item], kind=kind)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (
            "{{ inptu }}{{ input }}",
            "prompt uses the column 'inptu', which this item does not have; did you mean 'input'?",
        ),
        ("{{ input | int + missing }}", "uses the column 'missing'"),
        ("{{ input.x.y }}", "cannot be filled in"),
        ("{{ 1 / (input | length - 1) }}", "ZeroDivisionError"),
        ("{{ input.__class__.__mro__ }}", "cannot be filled in"),
        ("{% for i in range(999999) %}{{ input }}{% endfor %}", "OverflowError"),
    ],
)
def test_a_template_that_cannot_be_filled_in_names_the_item(tmp_path: Path, prompt: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        make(tmp_path, [{"input": "a", "target": "b"}], prompt=prompt)
    assert said in caught.value.message
    assert caught.value.line == 1


def test_ids_that_stand_twice_are_named_with_both_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    rows = [{"id": 1, **GOOD}, GOOD, {"id": "1", **GOOD}, {"id": "a-00001", **GOOD}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = check_suite(str(file)).problems
    assert [(problem["line"], problem["field"]) for problem in found] == [(3, "id"), (4, "id")]
    assert "the id '1' stands twice, first in line 1" in found[0]["message"]


def test_pairs_may_stand_in_any_order(tmp_path: Path) -> None:
    one, other = samples(tmp_path, {"id": 1, "pair": "2", **GOOD}, {"id": "2", "pair": 1, **GOOD})
    assert (one.extra["pair"], other.extra["pair"]) == ("2", 1)


def test_chance_is_the_mean_of_the_items(tmp_path: Path) -> None:
    four = {"input": "a", "choices": ["w", "x", "y", "z"], "answer": 0}
    assert make(tmp_path, [CHOICE, four]).chance == 0.375
    assert make(tmp_path, [CHOICE, four | {"chance": 0.0}]).chance == 0.25
    assert make(tmp_path, [GOOD]).chance is None


def test_the_examples_of_the_guide_are_suites(tmp_path: Path) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    blocks = [block.split("\n```", 1)[0] for block in text.split("```")[1::2]]
    named = {}
    for block in blocks:
        _, _, body = block.partition("\n")
        first, _, rest = body.partition("\n")
        if first.startswith("# ") and " " not in first[2:]:
            named[first[2:]] = rest if first.endswith("csv") else body
    for name, body in named.items():
        (tmp_path / name).write_text(body)
    suites = [name for name in named if name.endswith((".yaml", ".py"))]
    assert len(suites) >= 10
    shown = set()
    for name in suites:
        report = check_suite(str(tmp_path / name))
        assert report.problems == (), name
        shown |= {line.strip() for line in named[name].splitlines() if "kind: " in line}
    for kind in PRESETS:
        assert any(kind in line for line in shown), f"docs/tasks.md has no example of {kind}"


def test_the_guide_names_every_key_of_an_item() -> None:
    from saltus.tasks.suites.schema import ITEM_KEYS

    section = GUIDE.read_text(encoding="utf-8").partition("## An item")[2].partition("\n## ")[0]
    assert [key for key in ITEM_KEYS if f"`{key}`" not in section] == []
