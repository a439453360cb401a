"""From what a model said to a program: the code block of an answer, or a prompt and its continuation."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence

_FENCE = re.compile(
    r"^[ \t]*(```+|~~~+)[ \t]*([\w+.#-]*)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_PYTHON = {"", "python", "py", "python3", "python2", "py3", "pycon", "ipython"}
_OPENS = re.compile(r"^(?:def|class|async def|import|from|@)\b", re.MULTILINE)


def extract_code(output: str, prompt: str = "", entry_point: str = "") -> str:
    """The program that an answer stands for.

    A fenced block counts, the last one that defines the entry point if several do; what the prompt says in
    Python before its own definition of the entry point (imports, helpers) goes in front. Without a fence, an
    answer that defines the entry point is a program, and any other one continues the prompt where that makes
    one; either is cut where Python ends and prose begins.

    Args:
        output: What the model said.
        prompt: What it was asked; a piece of Python in completion tasks.
        entry_point: The name that the tests call, where it is known.
    """
    blocks = [block for language, block in _blocks(output) if language in _PYTHON]
    opening = _preamble(prompt, entry_point)
    if blocks:
        defining = [block for block in blocks if _defines(block, entry_point)]
        block = (defining or blocks[:1])[-1]
        if not defining and _continues(prompt, entry_point) and not _parses(block):
            return _longest(prompt, block)
        return opening + _dedented(block)
    if _defines(output, entry_point):
        return opening + _from_code_on(output)
    if _continues(prompt, entry_point):
        return _longest(prompt, output)
    return _from_code_on(output)


def _blocks(output: str) -> list[tuple[str, str]]:
    return [(language.lower(), body) for _, language, body in _FENCE.findall(output)]


def _defines(code: str, name: str) -> bool:
    return bool(name) and bool(
        re.search(
            rf"^(?:async\s+def|def|class)\s+{re.escape(name)}\b|^{re.escape(name)}\s*[:=]", code, re.MULTILINE
        )
    )


def _continues(prompt: str, entry_point: str) -> bool:
    """Whether a prompt ends inside the definition that is asked for."""
    return bool(entry_point) and _defines(prompt, entry_point)


def _preamble(prompt: str, entry_point: str) -> str:
    """The Python of a prompt before the definition that is asked for; nothing where that is no Python."""
    if not _continues(prompt, entry_point):
        return ""
    found = re.search(
        rf"^(?:@[^\n]*\n)*(?:async\s+def|def|class)\s+{re.escape(entry_point)}\b", prompt, re.MULTILINE
    )
    before = prompt[: found.start()] if found else ""
    return before.rstrip() + "\n\n" if before.strip() and _parses(before) else ""


def _from_code_on(output: str) -> str:
    """The answer without prose around it; as it is where nothing in it is Python."""
    if _parses(output):
        return output
    found = _OPENS.search(output)
    return _longest("", output[found.start() :]) if found else output


def _longest(prompt: str, continuation: str) -> str:
    """The prompt with as many lines of its continuation as make a program; all of them where none do."""
    lines = continuation.splitlines(keepends=True)
    end = _end_of_body(lines) if prompt else len(lines)
    for count in (end, *range(end - 1, 0, -1)):
        if count > 0 and _parses(prompt + "".join(lines[:count])):
            return prompt + "".join(lines[:count])
    return prompt + continuation


def _end_of_body(lines: Sequence[str]) -> int:
    """Lines until the first that is not indented and defines nothing: what a base model rambles on with."""
    for i, line in enumerate(lines):
        if (
            i
            and line.strip()
            and not line[0].isspace()
            and not re.match(r"(?:def|class|async def|@|import|from|[)\]}])", line)
        ):
            return i
    return len(lines)


def _dedented(block: str) -> str:
    """A block without the indentation that all of its lines share, as in a numbered list."""
    import textwrap

    return block if _parses(block) else textwrap.dedent(block)


def _parses(code: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the code's author would be told about
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
