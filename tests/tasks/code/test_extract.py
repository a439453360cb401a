"""What a model said becomes a program."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltus.tasks.code import extract_code

PROMPT = (
    "from typing import List\n\n\ndef helper(x):\n    return x\n\n\n"
    "def solve(xs: List[int]) -> int:\n    '''Add.'''\n"
)
BODY = "    return sum(xs)\n"


def names(code: str) -> set[str]:
    return {node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_a_fenced_block_is_the_program() -> None:
    said = "Sure!\n\n```python\ndef solve(xs):\n    return 1\n```\nIt works like this."
    assert extract_code(said, "Write solve.", "solve") == "def solve(xs):\n    return 1\n"


@pytest.mark.parametrize("fence", ["```", "```py", "```Python3", "~~~python", "  ```python"])
def test_fences_of_every_make(fence: str) -> None:
    end = fence.strip()[:3]
    assert extract_code(f"Here:\n{fence}\nx = 1\n{end}\n").strip() == "x = 1"


def test_the_last_block_that_defines_the_entry_point_counts() -> None:
    blocks = ["def solve(): return 1", "def solve(): return 2", "solve()"]
    said = "Better:\n".join(f"```python\n{block}\n```\n" for block in blocks)
    assert extract_code(said, "", "solve") == "def solve(): return 2\n"


def test_blocks_of_other_languages_do_not_count() -> None:
    assert extract_code("```bash\npip install x\n```\n```python\ny = 2\n```") == "y = 2\n"


def test_a_block_that_was_cut_off_goes_to_the_end() -> None:
    assert extract_code("```python\nx = 1\ny = 2") == "x = 1\ny = 2"


def test_what_the_prompt_defines_before_goes_in_front_of_a_block() -> None:
    code = extract_code(f"```python\ndef solve(xs: List[int]) -> int:\n{BODY}```", PROMPT, "solve")
    assert code.startswith("from typing import List")
    assert names(code) == {"helper", "solve"}


def test_a_bare_answer_continues_the_prompt_and_is_cut_where_rambling_begins() -> None:
    said = BODY + "\n\n# Now a test\nprint(solve([1]))\n\ndef broken(:\n"
    code = extract_code(said, PROMPT, "solve")
    assert code.startswith(PROMPT + BODY)
    assert "print" not in code


def test_a_bare_answer_may_bring_helpers_of_its_own() -> None:
    said = "    return more(xs)\n\n\ndef more(xs):\n    return 1\n"
    assert names(extract_code(said, PROMPT, "solve")) == {"helper", "solve", "more"}


def test_a_body_in_a_fence_continues_the_prompt() -> None:
    assert extract_code(f"```python\n{BODY}```", PROMPT, "solve") == PROMPT + BODY


def test_a_whole_program_without_a_fence() -> None:
    assert (
        extract_code("def solve(xs):\n    return 1\n", "# Write solve(xs).\n", "solve")
        == "def solve(xs):\n    return 1\n"
    )


def test_prose_around_a_program_without_a_fence_is_cut() -> None:
    said = "Here is the function:\n\ndef solve(xs):\n    return 1\n\nThis returns one, isn't it nice?\n"
    assert extract_code(said, "Write solve.", "solve").strip() == "def solve(xs):\n    return 1"


def test_an_indented_block_of_a_list_is_moved_to_the_left() -> None:
    assert extract_code("1. Do:\n   ```python\n   x = 1\n   ```") == "x = 1\n"


@given(st.text(max_size=300), st.text(max_size=60), st.sampled_from(["", "solve", "a.b", "("]))
def test_any_text_gives_some_text(output: str, prompt: str, entry_point: str) -> None:
    assert isinstance(extract_code(output, prompt, entry_point), str)


@given(st.integers(0, 40))
def test_a_continuation_of_any_length_stays_whole(lines: int) -> None:
    said = "".join(f"    x{i} = {i}\n" for i in range(lines)) + BODY
    assert extract_code(said, PROMPT, "solve") == PROMPT + said
