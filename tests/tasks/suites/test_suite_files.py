"""Suite files, good and bad: every fault has its line, and no text whatever gives a traceback."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltus.records import InputError, SaltusError
from saltus.tasks import get_suite
from saltus.tasks.suites import json_schema
from saltus.tasks.suites.marked import TomlDocument, YamlDocument
from saltus.tasks.suites.yaml_text import top_level_keys
from saltus.tasks.validate import check_suite

GOOD_ITEM = '{"input": "1+1=", "target": "2"}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sums.jsonl").write_text(GOOD_ITEM)
    return tmp_path


def faults(folder: Path, text: str, name: str = "s.yaml") -> list[tuple[int | None, str]]:
    (folder / name).write_text(text)
    return [(problem["line"], problem["message"]) for problem in check_suite(str(folder / name)).problems]


TASK = "tasks:\n  - name: a\n    items: sums.jsonl\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "it is empty where `name` and `tasks` were expected"),
        ("- a\n- b\n", 1, "it holds a list where"),
        ("name: x\n", 1, "there is no `tasks`"),
        ("name: x\ntasks: 3\n", 2, "tasks is 3; write a list of tasks"),
        ("tasks:\n  - 7\n", 2, "tasks[0] is 7, a mapping with name, items was expected"),
        ("tasks:\n  - items: sums.jsonl\n", 2, "tasks[0] has no `name`; add one; for example name: "),
        ("tasks:\n  - name: a\n", 2, "tasks[0] has no `items`"),
        (TASK + "    max_token: 3\n", 4, "`max_token` is no key of tasks[0]; did you mean 'max_tokens'?"),
        (TASK + "    max_tokens: many\n", 4, "is 'many', expected a whole number of 1 or more"),
        (TASK + "    max_tokens: 0\n", 4, "tasks[0].max_tokens is 0, expected a whole number of 1 or more"),
        (TASK + "    chance: 1.5\n", 4, "tasks[0].chance is 1.5, expected a number from 0 to 1"),
        (TASK + "    top_p: 0\n", 4, "expected a number above 0, 1 at most"),
        (TASK + "    shuffle: yes\n", 4, "tasks[0].shuffle is 'yes', expected true or false"),
        (TASK + "    kind: tool_cal\n", 4, "tasks[0].kind is 'tool_cal', expected one of generation, "),
        (
            TASK + "    metrics:\n      - exact_match\n      - 3\n",
            6,
            "tasks[0].metrics[1] is 3, expected text",
        ),
        (
            TASK + "    metrics: [exact_mach]\n",
            4,
            "no metric is called 'exact_mach'; did you mean 'exact_match'?",
        ),
        (TASK + "    metrics: [brier]\n", 4, "task a is generation, which brier cannot score"),
        (TASK + "    few_shot:\n      k: two\n", 5, "tasks[0].few_shot.k is 'two', expected a whole number"),
        (
            TASK + "    few_shot: {k: 1, item: x}\n",
            4,
            "`item` is no key of tasks[0].few_shot; did you mean 'items'?",
        ),
        (TASK + "    few_shot: 1\n", 4, "few_shot asks for 1 examples and the other items are 0"),
        (TASK + "    prompt: Q\n", 4, "does not contain {input}"),
        (TASK + "    prompt: '{{ input'\n", 4, "prompt is no template, line 1 of it"),
        (TASK + "    prompt: '{{ input | shout }}'\n", 4, "No filter named 'shout'"),
        (TASK + "    columns: {inputs: x}\n", 4, "which is no key of an item; did you mean 'input'?"),
        (TASK + "    split: test\n", 4, "split and config belong to hf: sources"),
        ("tasks:\n  - name: a/b\n    items: sums.jsonl\n", 2, "expected text with no slash and no comma"),
        (TASK + "  - name: a\n    items: sums.jsonl\n", 4, "two tasks are called 'a', the first in line 2"),
        (
            "tasks:\n  - name: a\n    items: sum.jsonl\n",
            3,
            "there is none beside the suite; did you mean 'sums.jsonl'?",
        ),
        ("tasks:\n  - name: a\n    items: sums.txt\n", 3, "a name that ends in .jsonl, "),
        ("tasks:\n  - name: a\n    items: '*.csv'\n", 3, "which no file matches"),
        ("tasks:\n  - name: a\n    items: []\n", 3, "items is an empty list"),
        ("tasks:\n  - name: a\n    items: [sums.jsonl, {input: a}]\n", 3, "mixes file names and items"),
        ("tasks:\n  - name: a\n   items: x\n", 3, "YAML cannot read it"),
        ("tasks: [\n", 2, "YAML cannot read it"),
        ("name: a\nname: b\n", 2, "the key 'name' stands here and in line 1"),
        ("name: !!python/object:os.system x\n", 1, "means nothing in a suite"),
        ("name: &a [*a]\n", 1, "the alias *a contains itself"),
        ("name: *gone\n", 1, "the alias *gone is not defined above"),
        ("[a]: b\n", 1, "a key is a list or a mapping here"),
        ("<<: 3\n", 1, "`<<` takes a mapping"),
        ("name: a\n---\nname: b\n", 2, "a second document begins here"),
        ("name: a\n\x00: b\n", None, "YAML cannot read it"),
    ],
)
def test_every_fault_of_a_file_has_its_line(folder: Path, text: str, line: int | None, said: str) -> None:
    found = faults(folder, text)
    assert any(said in message and (line is None or at == line) for at, message in found), found
    with pytest.raises(InputError) as caught:
        get_suite(folder / "s.yaml")
    assert caught.value.path is not None


def test_all_faults_of_a_file_are_named_at_once(folder: Path) -> None:
    text = (
        "descripton: x\n"
        "tasks:\n"
        "  - name: a\n"
        "    items: sums.jsonl\n"
        "    temperatur: 1\n"
        "  - name: b\n"
        "    items: gone.jsonl\n"
        "  - name: c\n"
        "    items:\n"
        "      - {input: x, target: y}\n"
        "      - {input: x}\n"
        "      - {input: x, targt: y}\n"
        "    max_tokens: -1\n"
    )
    assert [line for line, _ in faults(folder, text)] == [1, 5, 7, 11, 12, 13]


def test_a_fault_that_cannot_change_the_items_does_not_hide_theirs(folder: Path) -> None:
    (folder / "sums.jsonl").write_text(GOOD_ITEM + '{"input": "x"}\n')
    assert len(faults(folder, TASK + "    temperature: warm\n")) == 2


def test_toml_says_the_same_with_the_line(folder: Path) -> None:
    text = (
        'name = "t"\n\n[[tasks]]\nname = "a"\nitems = "sums.jsonl"\n\n[[tasks]]\nname = "b"\n'
        'items = "sums.jsonl"\nmax_token = 3\n\n[tasks.few_shot]\nk = "x"\n'
    )
    found = faults(folder, text, "t.toml")
    assert (10, "`max_token` is no key of tasks[1]; did you mean 'max_tokens'?") in found
    assert any(line == 13 and "few_shot.k" in message for line, message in found)
    assert faults(folder, "name = 'a'\nname = 'b'\n", "u.toml")[0][0] == 2
    assert faults(folder, "[[tasks]]\nname = 'a'\n", "v.toml")[0][0] == 1


def test_yaml_and_toml_are_one_schema(folder: Path) -> None:
    (folder / "a.yaml").write_text("name: s\n" + TASK + "    prompt: 'Q {input}'\n    stop: ['.']\n")
    (folder / "a.toml").write_text(
        "name = 's'\n[[tasks]]\nname = 'a'\nitems = 'sums.jsonl'\nprompt = 'Q {input}'\nstop = ['.']\n"
    )
    one, other = (get_suite(folder / name).tasks[0] for name in ("a.yaml", "a.toml"))
    assert one.version == other.version
    assert list(one.items()) == list(other.items())


def test_the_norway_problem_is_none(folder: Path) -> None:
    (folder / "n.yaml").write_text(
        "tasks:\n  - name: a\n    items:\n"
        "      - {input: Norway?, choices: [yes, no], answer: no}\n"
        "      - {input: 1, choices: [on, off], answer: 1, id: 007}\n"
    )
    first, second = get_suite(folder / "n.yaml").tasks[0].items()
    assert (first.choices, first.answer) == (("yes", "no"), 1)
    assert (second.input, second.target, second.id) == ("1", "off", "007")


def test_numbers_that_would_change_are_refused(folder: Path) -> None:
    text = "tasks:\n  - name: a\n    items:\n      - {input: x, target: 1.50}\n"
    assert faults(folder, text)[0][0] == 4
    assert "Expected `int | str | null`, got `float`" in faults(folder, text)[0][1]


def test_anchors_and_merges_work(folder: Path) -> None:
    (folder / "m.yaml").write_text(
        "tasks:\n  - &base\n    name: a\n    items: sums.jsonl\n    max_tokens: 5\n"
        "  - <<: *base\n    name: b\n    max_tokens: 7\n"
    )
    assert [(task.name, task.max_tokens) for task in get_suite(folder / "m.yaml").tasks] == [
        ("a", 5),
        ("b", 7),
    ]
    text = "tasks:\n  - &base\n    name: a\n    items: sums.jsonl\n  - <<: *base\n    name: b\n    k: 1\n"
    assert faults(folder, text)[0][0] == 7


def test_aliases_cannot_explode() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(InputError, match="aliases repeat too much") as caught:
        YamlDocument("bomb.yaml", "\n".join(lines))
    assert caught.value.line


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 50_000])
def test_no_depth_ends_the_process(text: str) -> None:
    with pytest.raises(InputError):
        YamlDocument("deep.yaml", text)
    with pytest.raises(InputError):
        TomlDocument("deep.toml", f"a = {text}")


KEYS = "tasks name items kind prompt few_shot k input target choices answer tools schema turns documents"
MARKS = (
    "<<",
    "sums.jsonl",
    "{{ input }}",
    "{input}",
    "*",
    "&a",
    "!t",
    "- ",
    ": ",
    "\n",
    "\n  ",
    "\n    ",
    *"[]{}\t\"'|>",
)
words = st.sampled_from([*KEYS.split(), *MARKS])
texts = st.one_of(st.text(max_size=80), st.lists(words, max_size=30).map("".join))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=texts, suffix=st.sampled_from([".yaml", ".toml"]))
def test_any_text_is_a_suite_or_an_input_error(folder: Path, text: str, suffix: str) -> None:
    path = folder / f"any{suffix}"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    report = check_suite(str(path))
    assert report.valid == (not report.problems)
    if report.valid:
        assert get_suite(path).tasks
    else:
        with pytest.raises(SaltusError) as caught:
            get_suite(path)
        assert "\n" not in caught.value.message


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
keys = st.sampled_from(list(json_schema()["$defs"]["TaskEntry"]["properties"]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(task=st.dictionaries(keys, plain, max_size=5), item=st.dictionaries(words, plain, max_size=5))
def test_any_values_are_a_suite_or_input_errors(
    folder: Path, task: dict[str, Any], item: dict[str, Any]
) -> None:
    whole = {"tasks": [{"name": "a", "items": [item, {"input": "x", "target": "y"}]} | task]}
    path = folder / "values.yaml"
    path.write_text(json.dumps(whole))
    for problem in check_suite(str(path)).problems:
        assert problem["message"]
        assert problem["path"]


printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=8).filter(
    lambda text: text != "<<" and "\ufeff" not in text
)


@settings(max_examples=100, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(10**15), 10**15) | printable,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(printable, inner, max_size=4),
        max_leaves=15,
    )
)
def test_json_is_read_as_it_is(value: Any) -> None:
    assert YamlDocument("x.yaml", json.dumps(value, ensure_ascii=False)).value == value


def test_lines_are_those_of_keys_and_items() -> None:
    document = YamlDocument("x.yaml", "# c\na:\n  - b: 1\n    c:\n      2\n  -\n    d: 3\n")
    assert document.line(("a",)) == 2
    assert document.line(("a", 0, "c")) == 4
    assert document.line(("a", 1)) == 7
    assert document.line(("a", 1, "gone")) == 7


def test_the_outermost_keys_are_seen_whatever_the_tags(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text(
        "task: a\ndoc_to_text: !function utils.f\nnested: {x: [1, {y: 2}]}\nlist: [a, b]\nlast: 1\n"
    )
    assert top_level_keys(file) == {"task", "doc_to_text", "nested", "list", "last"}
    file.write_text("- a\n- b: 1\n")
    assert top_level_keys(file) == set()
    file.write_text("{a: ")
    assert top_level_keys(file) == set()


def test_the_schema_describes_every_key_and_accepts_the_examples() -> None:
    from jsonschema import Draft202012Validator

    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    for name in ("SuiteFile", "TaskEntry", "FewShot"):
        assert schema["$defs"][name]["additionalProperties"] is False
        for key, value in schema["$defs"][name]["properties"].items():
            assert value.get("description"), f"{name}.{key}"
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"tasks": [{"name": "a", "items": "a.jsonl", "few_shot": 3}]})
    assert not validator.is_valid({"tasks": [{"name": "a", "items": "a.jsonl", "few_shots": 3}]})


def test_every_key_of_a_task_is_in_the_guide() -> None:
    guide = (Path(__file__).resolve().parents[3] / "docs" / "tasks.md").read_text(encoding="utf-8")
    section = guide.partition("## A task")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", section))
    assert set(json_schema()["$defs"]["TaskEntry"]["properties"]) <= named
