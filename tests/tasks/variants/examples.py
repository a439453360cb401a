"""A few items of different sorts, on which every variant can be shown."""

from __future__ import annotations

from typing import Any

from saltus.records import Sample


def item(name: str, text: str, target: str, **changes: Any) -> Sample:
    return Sample(task="shown", task_version="1", id=name, input=text, target=target, **changes)


APPLES = item(
    "apples",
    "Q: Tom has 12 apples and buys 7 more apples at the shop. How many apples does Tom have?\nA:",
    "19",
)
PENCILS = item(
    "pencils", "Q: Anna has 4 pencils. Ben has 9 pencils. How many pencils are there in total?\nA:", "13"
)
SUM = item("sum", "What is 123 + 48?\nAnswer:", "171")
PLANET = item(
    "planet",
    "Which planet is the largest?\nA. Mars\nB. Jupiter\nC. Venus\nAnswer:",
    "B",
    choices=("A", "B", "C"),
    answer=1,
)
LOGIC = item(
    "logic",
    "All wugs are red.\nNo daxes are blue.\nSome feps are green.\nIs every wug red?\nAnswer:",
    "yes",
)
SHOTS = item("shots", "Q: 1 + 1?\nA: 2\n\nQ: 2 + 2?\nA: 4\n\nQ: 3 + 3?\nA:", "6")
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer", "minimum": 1},
                "unit": {"type": "string"},
            },
            "required": ["city"],
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
}
CALLS = item(
    "calls",
    "What will the weather be in Paris during the next 3 days?",
    "",
    extra={
        "tools": [TOOL, CLOCK],
        "calls": [{"name": "get_weather", "arguments": {"city": "Paris", "days": 3}}],
    },
)
OAK = item(
    "oak",
    "According to the documents, where does the oldest oak stand?",
    "in Lund",
    extra={
        "documents": [
            {"id": "d1", "title": "Oaks", "text": "The oldest oak stands in Lund."},
            {"id": "d2", "title": "Elms", "text": "Elms grow in Kiel."},
        ]
    },
)
ALL = (APPLES, PENCILS, SUM, PLANET, LOGIC, SHOTS, CALLS, OAK)

# Which variant is shown on which item.
SHOWN: tuple[tuple[str, Sample], ...] = (
    ("zero_shot", SHOTS),
    ("few_shot:k=2", SUM),
    ("step_by_step", SUM),
    ("paraphrased:template=3", APPLES),
    ("language:to=de", SUM),
    ("polite", SUM),
    ("typos:rate=0.3", PENCILS),
    ("casing:mode=upper", APPLES),
    ("punctuation:how=double", APPLES),
    ("synonyms:rate=1", APPLES),
    ("truncated", PENCILS),
    ("reorder:what=choices", PLANET),
    ("reorder:what=shots", SHOTS),
    ("reorder:what=premises", LOGIC),
    ("reorder:what=sentences", PENCILS),
    ("reorder:what=documents", OAK),
    ("reorder:what=tools", CALLS),
    ("distractor", SUM),
    ("distractor:about=item", APPLES),
    ("misleading", SUM),
    ("contradictory", LOGIC),
    ("constraint_trap", SUM),
    ("override", SUM),
    ("injection", SUM),
    ("injection:seed=1", OAK),
    ("tools:change=rename", CALLS),
    ("tools:change=retype", CALLS),
    ("tools:change=drop", CALLS),
    ("tools:change=extra", CALLS),
    ("rename", APPLES),
    ("renumber", SUM),
    ("nonce", APPLES),
)
