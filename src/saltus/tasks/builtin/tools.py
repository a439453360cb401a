"""The suite "tools": which tool to call with which arguments, in which order, and when to call none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from saltus.tasks.builtin.draw import Draw
from saltus.tasks.builtin.recipe import Item, Plan, Recipe, Slot, build
from saltus.tasks.builtin.tool_catalog import TOOLS, Tool
from saltus.tasks.task import Suite

_OFFERED = (2, 4, 6, 8, 11)
_METRICS = ("tool_calls", "tool_f1", "tool_name", "tool_arguments", "target_logprob", "token_accuracy")


def suite(seed: int = 0, items: int = 200) -> Suite:
    """One call, several in order, perhaps none, and the same in plain text.

    Args:
        seed: Of all items.
        items: Of each task.
    """
    return build(PLAN, seed, items)


def _single(draw: Draw, slot: Slot) -> Item:
    offered = draw.some(TOOLS, slot.of(_OFFERED))
    request, call = _request(draw, offered[0])
    return _native(f"Please {request}.", draw.shuffled(offered), [call])


def _sequence(draw: Draw, slot: Slot) -> Item:
    """One to five calls, to be made in the order they are asked for."""
    offered = draw.some(TOOLS, 6)
    asked = [_request(draw, tool) for tool in offered[: slot.difficulty]]
    words = [request for request, _ in asked]
    text = f"Please {words[0]}." + "".join(f" Then {request}." for request in words[1:])
    return _native(text, draw.shuffled(offered), [call for _, call in asked], ordered=True)


def _perhaps(draw: Draw, slot: Slot) -> Item:
    """The right tool is among those offered every second time; else no call is right."""
    n = slot.of(_OFFERED)
    chosen = draw.some(TOOLS, n + 1)
    needed = slot.balanced(2, "needed") == 1
    request, call = _request(draw, chosen[0])
    offered = chosen[:n] if needed else chosen[1:]
    return _native(f"Please {request}.", draw.shuffled(offered), [call] if needed else [])


def _plain(draw: Draw, slot: Slot) -> Item:
    """Tools and answer as JSON in the prompt: what a model without a tool interface can be asked."""
    offered = draw.some(TOOLS, slot.of(_OFFERED))
    request, call = _request(draw, offered[0])
    offered = draw.shuffled(offered)
    listed = "\n".join(f"- {tool.signature()}: {tool.description}" for tool in offered)
    return Item(
        input=f'Tools:\n{listed}\nAnswer with one call, a JSON object on one line with the keys "name" and '
        f'"arguments"; the arguments stand in the order given above.\nRequest: Please {request}.\nCall:',
        target=f" {json.dumps(call)}",
        slices={"offered": str(len(offered)), "arguments": str(len(call["arguments"]))},
        extra={"calls": [call], "ordered": False},
    )


def _request(draw: Draw, tool: Tool) -> tuple[str, dict[str, Any]]:
    words, arguments = tool.ask(draw)
    return words, {"name": tool.name, "arguments": arguments}


def _native(
    text: str, offered: Sequence[Tool], calls: list[dict[str, Any]], *, ordered: bool = False
) -> Item:
    return Item(
        input=text,
        target=f" {json.dumps(calls)}",
        slices={"offered": str(len(offered)), "calls": str(len(calls))},
        key="\n".join([text, *sorted(tool.name for tool in offered)]),
        extra={
            "system": "Use the tools where they serve the request. Where none of them does, say so and call "
            "none.",
            "tools": [tool.definition() for tool in offered],
            "calls": calls,
            "ordered": ordered,
        },
    )


PLAN = Plan(
    name="tools",
    description="Which tool to call with which arguments, in which order, and when to call none.",
    limits="Every request states all arguments in words; nothing has to be asked back and no tool answers. "
    "The first three "
    "tasks need a model with a chat template and tools; a base model is asked by plain.",
    recipes=(
        Recipe(
            name="single",
            make=_single,
            quantity="offered",
            metrics=_METRICS,
            max_tokens=160,
            stop=(),
            description="Make the one call that serves the request, with 2 to 11 tools to choose from.",
        ),
        Recipe(
            name="sequence",
            make=_sequence,
            quantity="calls",
            metrics=_METRICS,
            max_tokens=400,
            stop=(),
            description="Make one to five calls in the order they are asked for.",
        ),
        Recipe(
            name="perhaps",
            make=_perhaps,
            quantity="offered",
            metrics=_METRICS,
            chance=0.5,  # that of never calling anything
            max_tokens=160,
            stop=(),
            description="Make the right call, or none where no tool serves the request.",
        ),
        Recipe(
            name="plain",
            make=_plain,
            quantity="offered",
            metrics=("tool_calls", "exact_match", *_METRICS[1:]),
            max_tokens=160,
            description="Write the call as JSON; the tools stand in the prompt.",
        ),
    ),
)
