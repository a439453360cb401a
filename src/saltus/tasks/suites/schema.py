"""What a suite file may say: a struct for the file, one for each task, one for each item.

The JSON schema that editors read (`saltus validate --schema`) is made from these structs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0, le=1)]
Items = str | list[str | dict[str, Any]]
KindName = Literal[
    "generation",
    "multiple_choice",
    "loglikelihood",
    "perplexity",
    "tool_call",
    "structured",
    "multi_turn",
    "long_context",
    "grounded",
    "code",
]
TaskName = Annotated[
    str,
    Meta(pattern="^[^/,]+$", description="Unique in the suite; no slash and no comma.", examples=["sums"]),
]
ItemsKey = Annotated[
    Items,
    Meta(
        description="A file beside this one, a pattern such as data/*.jsonl, hf:NAME[/CONFIG]@REVISION, a "
        "list of files, or the items themselves.",
        examples=["sums.jsonl"],
    ),
]


class FewShot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Solved examples that stand before each item."""

    k: Annotated[int, Meta(ge=0, description="How many.", examples=[3])]
    items: Annotated[
        Items | None, Meta(description="Where they come from; the task's own items when left out.")
    ] = None
    split: Annotated[str, Meta(description="Split of an hf: source.")] = ""
    seed: Annotated[int | None, Meta(description="Of the draw; the task's when left out.")] = None
    separator: Annotated[str, Meta(description="Put after each example.")] = "\n\n"


class TaskSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a task is asked and scored, wherever its items come from."""

    kind: Annotated[
        KindName | None, Meta(description="Taken from the first item when left out.", examples=["generation"])
    ] = None
    description: Annotated[str, Meta(description="One sentence for people.", examples=["Add numbers."])] = ""
    metrics: Annotated[
        list[str],
        Meta(description="The headline first; a fitting set when left out.", examples=[["exact_match"]]),
    ] = []
    chance: Annotated[
        Share | None, Meta(description="Score of guessing, for items that do not say it.", examples=[0.25])
    ] = None
    max_tokens: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Most tokens of an answer.", examples=[64])
    ] = None
    stop: Annotated[
        str | list[str] | None, Meta(description="Strings that end an answer.", examples=[["\n"]])
    ] = None
    temperature: Annotated[float, Meta(ge=0, description="0 is greedy.", examples=[0.7])] = 0.0
    top_p: Annotated[float, Meta(gt=0, le=1, description="Nucleus sampling; 1 is all.", examples=[0.95])] = (
        1.0
    )
    epochs: Annotated[int, Meta(ge=1, description="How often each item is asked.", examples=[4])] = 1
    cluster: Annotated[
        str, Meta(description="Slice whose items belong together; errors are clustered by it.")
    ] = ""
    prompt: Annotated[
        str | None,
        Meta(
            description="Template: {input}, or Jinja over the item's columns.",
            examples=["Question: {input}\nAnswer:"],
        ),
    ] = None
    system: Annotated[str | None, Meta(description="Template of the system message.")] = None
    turns: Annotated[list[str] | None, Meta(description="Templates of further user turns.")] = None
    target: Annotated[
        str | None, Meta(description="Template of the right answer.", examples=["{{ answer }}"])
    ] = None
    choices: Annotated[
        str | list[str] | None,
        Meta(
            description="Templates of the choices, or one that gives their list.", examples=["{{ options }}"]
        ),
    ] = None
    answer: Annotated[
        str | None,
        Meta(
            description="Template of the right choice: its index from 0, letter or text.",
            examples=["{{ label }}"],
        ),
    ] = None
    delimiter: Annotated[str, Meta(description="Put before each target and choice.", examples=[" "])] = ""
    few_shot: Annotated[
        Annotated[int, Meta(ge=0)] | FewShot | None,
        Meta(description="Solved examples before each item.", examples=[3]),
    ] = None
    columns: Annotated[
        dict[str, str],
        Meta(description="Our key: the column it is called there.", examples=[{"input": "question"}]),
    ] = {}
    id: Annotated[str | None, Meta(description="Column that names an item.", examples=["uid"])] = None
    slices: Annotated[
        list[str] | dict[str, str],
        Meta(description="Columns to keep as slices, or slice: column.", examples=[["difficulty"]]),
    ] = []
    shuffle: Annotated[bool, Meta(description="Put the items into an order drawn by the seed.")] = False
    seed: Annotated[int, Meta(description="Of shuffle and few_shot.")] = 0
    limit: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Only the first so many, after shuffling.", examples=[100]),
    ] = None
    tools: Annotated[
        list[dict[str, Any]] | None, Meta(description="Tools that every item has, as OpenAI writes them.")
    ] = None
    schema: Annotated[
        dict[str, Any] | None, Meta(description="JSON schema that every answer must follow.")
    ] = None
    documents: Annotated[
        list[dict[str, Any]] | None, Meta(description="Documents that every item has: id, title, text.")
    ] = None


class TaskEntry(TaskSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task of a suite file."""

    name: TaskName
    items: ItemsKey
    split: Annotated[str, Meta(description="Split of an hf: source.", examples=["test"])] = ""
    config: Annotated[str, Meta(description="Configuration of an hf: source.", examples=["main"])] = ""


class SuiteFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A suite of tasks for Saltus."""

    tasks: Annotated[list[TaskEntry], Meta(min_length=1, description="What is asked, task by task.")]
    name: Annotated[str, Meta(description="The file's name when left out.", examples=["mine"])] = ""
    description: Annotated[str, Meta(description="One sentence for people.", examples=["What we ask."])] = ""


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """One item, as it stands in a file of items."""

    input: str | int | None = None
    id: str | int | None = None
    target: str | int | None = None
    choices: list[str | int] = []
    answer: int | str | None = None
    chance: Share | None = None
    slices: Mapping[str, str | int] = {}
    system: str | None = None
    turns: list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    schema: dict[str, Any] | None = None
    calls: list[dict[str, Any]] | None = None
    ordered: bool | None = None
    constraints: list[dict[str, Any]] | None = None
    tests: str | None = None
    entry_point: str | None = None
    documents: list[dict[str, Any]] | None = None
    evidence: list[str | int] | None = None
    references: list[str] | None = None
    refusal: Literal["refuse", "comply"] | None = None
    answerable: bool | None = None
    pair: str | int | None = None
    reason: str | None = None
    sources: list[Any] | None = None
    counterfactuals: dict[str, Any] | None = None
    extra: dict[str, Any] = {}


ITEM_KEYS: tuple[str, ...] = Item.__struct_fields__
EXTRA_KEYS: tuple[str, ...] = ITEM_KEYS[ITEM_KEYS.index("system") : -1]


def json_schema() -> dict[str, Any]:
    """The JSON schema of a suite file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Saltus suite",
        **msgspec.json.schema(SuiteFile),
    }
