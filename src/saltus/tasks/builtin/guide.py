"""The page docs/suites.md, written from the suites: `python -m saltus.tasks.builtin.guide docs/suites.md`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from saltus.records.evidence import Sample
from saltus.tasks.builtin.recipe import BANDS, Plan, Recipe, build

SUITES: dict[str, str] = {
    name: f"saltus.tasks.builtin.{name.replace('-', '_')}"
    for name in (
        "arithmetic",
        "modular",
        "word-problems",
        "recall",
        "instructions",
        "tools",
        "format",
        "code",
        "cipher",
        "planning",
        "commonsense",
        "calibration",
        "ambiguous",
        "refusal",
        "needle",
        "bias",
    )
}

_HEAD = """# Built-in suites

Sixteen suites that come with Saltus, so that a fresh study has something to ask. Their items are written
by rule from a seed: the same seed gives the same bytes on every machine, and no download is needed.

```bash
saltus ls suites
saltus run arithmetic -M models/step1000 -M models/step2000
saltus run arithmetic -M models/step1000 -T items=400 -T seed=7     # more items, other items
saltus run arithmetic/arithmetic-addition -M models/step1000 --limit 50
```

Every task has 200 items unless `items` says otherwise, 40 in each of five bands of difficulty (slice
`difficulty`, "1" to "5"). A band is harder in a quantity that the table names; the quantity itself is a
slice too. Bands take turns, so `--limit` keeps them even, and a longer task begins with the items of the
shorter one. The prompts are plain text that ends where the answer begins: base models can be asked as
well as chat models. (Only three tasks of `tools` need a chat model.)

*Chance* is the score of the best guess that does not understand the question: the commonest answer, or
any of the things that could be meant. Where it differs by band it is given from the first to the last;
"0" means below one in a thousand, or not worth naming.

## Overview
"""

_TAIL = """
## What they cannot tell
The items are made by rule, so they are clean, and narrower than the names of the suites. A score says
how a model does on such items; that it "can reason" or "is safe" does not follow. Use several seeds
before you believe a small difference, and a [suite of your own](tasks.md) for what you care about.

This page is written by `python -m saltus.tasks.builtin.guide docs/suites.md`, and a test keeps it up to
date.
"""
_SHOWN = 420  # characters of an example


def page() -> str:
    """The whole page."""
    plans: list[Plan] = [import_module(module).PLAN for module in SUITES.values()]
    rows = ["| suite | tasks | items | what it measures |", "| --- | --- | --- | --- |"]
    rows += [
        f"| [`{plan.name}`](#{plan.name}) | {', '.join(f'`{recipe.name}`' for recipe in plan.recipes)} | "
        f"{200 * len(plan.recipes)} | {plan.description} |"
        for plan in plans
    ]
    return _HEAD + "\n".join(rows) + "\n" + "".join(map(_section, plans)) + _TAIL


def _section(plan: Plan) -> str:
    lines = [f"\n## {plan.name}\n{plan.description}\n", "| task | asks | bands | metrics | chance |"]
    lines.append("| --- | --- | --- | --- | --- |")
    samples = {
        task.name.removeprefix(f"{plan.name}-"): tuple(task.items()) for task in build(plan, 0, 200).tasks
    }
    for recipe in plan.recipes:
        metrics = ", ".join(f"`{name}`" for name in recipe.scored_by())
        bands = _bands(recipe, samples[recipe.name])
        cells = (f"`{plan.name}-{recipe.name}`", recipe.description, bands, metrics, _chance(recipe))
        lines.append(f"| {' | '.join(cells)} |")
    lines.append(f"\n*Limits.* {plan.limits}\n")
    first = plan.recipes[0].name
    lines.append(_example(samples[first][1]))
    return "\n".join(lines)


def _bands(recipe: Recipe, samples: tuple[Sample, ...]) -> str:
    """The quantity of each band, or its range."""
    found = []
    for band in range(1, BANDS + 1):
        values = [int(s.slices[recipe.quantity]) for s in samples if s.slices["difficulty"] == str(band)]
        low, high = min(values), max(values)
        found.append(f"{low:,}" if low == high else f"{low:,} to {high:,}")
    return f"{recipe.quantity}: {'; '.join(found)}"


def _chance(recipe: Recipe) -> str:
    values = [f"{recipe.chance_at(band):.2g}" for band in range(1, BANDS + 1)]
    values = ["0" if float(value) < 0.001 else value for value in values]
    return values[0] if len(set(values)) == 1 else "; ".join(values)


def _example(sample: Sample) -> str:
    """One item as text; a long prompt is shown by its beginning and end."""
    shown = sample.input
    if len(shown) > _SHOWN:
        shown = f"{shown[: _SHOWN // 2].rstrip()}\n[...]\n{shown[-_SHOWN // 2 :].lstrip(' ')}"
    between = "" if sample.target.startswith(" ") or shown.endswith("\n") else " "
    whole = f"{shown}{between}{sample.target}".rstrip()
    return f"An item, its answer behind the prompt:\n\n```text\n{whole}\n```\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
