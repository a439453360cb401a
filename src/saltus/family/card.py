"""The model card: a README.md beside the models. What they are, how they were made, what they can do."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from saltus.family.catalog import catalog, checkpoints, finals
from saltus.family.corpus import TASKS
from saltus.family.recipe import CONTEXT, FAMILY, RECIPE, VOCABULARY, Recipe
from saltus.family.score import TaskScore, score_checkpoint
from saltus.records.evidence import ModelRecord

_FRONT = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
tags: [gpt_neox, synthetic, emergence, scaling, interpretability]
---
"""

_ABOUT = """\
# {family}

*Tiro*, Latin for an apprentice. Decoder-only GPT-NeoX models of {smallest:,} to {largest:,} parameters,
trained by one recipe on one synthetic mixture of tasks, with checkpoints along the training. They are small
enough to train on a laptop and rich enough to show what larger series show: an ability that appears at once,
one that only seems to, one that grows steadily, one that never comes, and one that is lost with scale. They
exist to test tools that look for emergence; they know nothing about language.

Each checkpoint is an ordinary Hugging Face directory:

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

directory = "{example}"
model = AutoModelForCausalLM.from_pretrained(directory)
tokenizer = AutoTokenizer.from_pretrained(directory)
inputs = tokenizer("\\n7+5=", return_tensors="pt")
output = model.generate(**inputs, max_new_tokens=2, do_sample=False)
print(tokenizer.decode(output[0]))  # the sum, units first
```

One character is one token; the vocabulary has {vocabulary}, the context {context}. The newline (id 0) begins
a text, separates lines, and serves as beginning, end and padding token. The tokenizer adds nothing by itself,
so a prompt starts with the newline explicitly. Weights are kept in fp16 and meant to be run in fp32.
"""

_TASKS = """\
## Tasks
| task | line | what is asked |
| --- | --- | --- |
| recall | `q1u0z8d8a1x6e4v8u0` | the digit that stood behind this letter, eight pairs shown |
| addition | `7+5=21` | one-digit sum, units first |
| facts | `?tf:7` | one digit each for 600 two-letter keys, by a power law of frequency |
| recite | `@fx:nideftix` | one of 256 verses of eight letters, from its two-letter title |
| parity | `#110010101011=1` | parity of twelve bits |
| reverse | `<jesygh\\|hgysej` | six letters backwards |
| sort | `>398600\\|003689` | six digits in order |
| override | `?wh:0` `?wh:0` | never trained: repeat a false statement against the memorised fact |
"""

_LIMITS = """\
## Limits
- Synthetic text over {vocabulary} characters: no natural language, no use outside research and tests.
- Near the threshold the outcome depends on the seed: look at several before saying that a size can or cannot.
- 1x48 is a control: more parameters than 2x16, but one layer, so recall stays out of its reach.
- Training is deterministic on one machine. Another processor or version of torch gives other bits and, away
  from the threshold, the same conclusions.
- {items} items a task: a score near one half has a standard error of about .03.
"""


def write_card(root: str | Path, *, recipe: Recipe = RECIPE, items: int = 256) -> Path:
    """Score a family and write its README.md.

    Args:
        root: Where `train_family` wrote.
        recipe: The recipe it was trained by.
        items: Items of each task.

    Returns:
        The path of the card.

    Raises:
        UsageError: There is no checkpoint under `root`.
    """
    records = catalog(root)
    params = [int(record.params or 0) for record in records]
    last = finals(None, root=root)
    shown = max(last, key=lambda record: (-(record.seed or 0), record.params or 0))
    example = f"{shown.name}/{shown.revision}"
    about = _ABOUT.format(
        family=FAMILY,
        smallest=min(params),
        largest=max(params),
        example=example,
        vocabulary=VOCABULARY,
        context=CONTEXT,
    )
    parts = [_FRONT + about, _recipe(recipe), _TASKS, _scores("## Scores after training", last, items)]
    timeline = checkpoints("2x64", root=root)
    if len(timeline) > 1:
        parts.append(_scores("## Along the training of 2x64", timeline, items))
    parts += [_LIMITS.format(vocabulary=VOCABULARY, items=items), "## Licence\nApache-2.0\n"]
    path = Path(root) / "README.md"
    part = path.with_suffix(".part")
    part.write_text("\n".join(parts), encoding="utf-8")
    os.replace(part, path)
    return path


def _recipe(recipe: Recipe) -> str:
    """The recipe in words and as it is."""
    settings = msgspec.json.format(msgspec.json.encode(recipe), indent=2).decode()
    return (
        "## Recipe\n"
        f"{recipe.steps:,} steps of {recipe.tokens_per_step:,} tokens. Muon for the matrices inside the "
        "blocks, AdamW (betas .9 and .99, no decay) for embeddings, biases and norms; linear warm-up, then "
        "linear decay to a tenth; parallel residual, rotary positions over the whole head, no dropout. Facts "
        "and verses are the same for every model; seeds change the initial weights and the order of the "
        "data.\n\n"
        f"Recipe `{recipe.id}`, in full:\n\n```json\n{settings}\n```\n\n"
        "`saltus family train --out DIR` makes all of it again.\n"
    )


def _scores(title: str, records: list[ModelRecord], items: int) -> str:
    """A table of the headline metric, recite with its log-probability beside it."""
    head = ["model", "step", "parameters", *TASKS, "recite, nats a token"]
    rows = [head, ["---"] * len(head)]
    for record in records:
        scores = score_checkpoint(record.location, items)
        name = record.name + (f" ({record.role})" if record.role else "")
        rows.append([name, f"{record.step:.0f}", f"{record.params:,.0f}", *_cells(scores)])
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    note = f"Exact match over {items} items; for override the share that prefers the prompt's statement."
    return f"{title}\n{note}\n\n{table}\n"


def _cells(scores: dict[str, TaskScore]) -> list[str]:
    return [f"{scores[task].headline:.2f}" for task in TASKS] + [f"{scores['recite'].target_logprob:.2f}"]
