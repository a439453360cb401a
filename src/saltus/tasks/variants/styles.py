"""Variants of how an item is asked: with or without worked examples, step by step, in other words."""

from __future__ import annotations

import msgspec

from saltus.records.evidence import Sample
from saltus.tasks.variants.answers import CUE, CUE_KEY
from saltus.tasks.variants.draw import Draw
from saltus.tasks.variants.item import Call, Item, Parameter, VariantInfo, anatomy, append, split

_ALONE = ("turns", "tools", "documents", "system")  # an example of these is more than a text and its answer

# Before the item and in place of its cue; an item without a cue of its own gets none.
_TEMPLATES: tuple[tuple[str, str], ...] = (
    ("Please answer the following.", "Your answer:"),
    ("Here is something to work out.", "Response:"),
    ("Read this carefully and give your answer.", "Final answer:"),
    ("Consider what is asked below.", "The answer is:"),
    ("I would like your help with this.", "Reply:"),
    ("Work this out.", "Solution:"),
)
_STEPS = (
    "First think step by step. Then write the answer itself, in the form that was asked for, alone on the "
    f"last line, after the word {CUE}"
)
_FORMED = ("tools", "calls", "schema", "constraints", "tests", "refusal")  # scored by the whole output

# German, French, Spanish, Italian, Chinese: what to do, in which language to answer, and the cue.
_LANGUAGES: dict[str, tuple[str, str]] = {
    "de": (
        "Bearbeite die folgende Aufgabe. Antworte in der Sprache, in der die Aufgabe gestellt ist.",
        "Antwort:",
    ),
    "es": (
        "Resuelve la siguiente tarea. Responde en el idioma en que está planteada la tarea.",
        "Respuesta:",
    ),
    "fr": (
        "Traite la tâche suivante. Réponds dans la langue dans laquelle la tâche est posée.",
        "Réponse :",
    ),
    "it": (
        "Svolgi il compito seguente. Rispondi nella lingua in cui il compito è formulato.",
        "Risposta:",
    ),
    "zh": ("请完成下面的任务。请用任务所用的语言回答。", "回答："),  # noqa: RUF001
}


def zero_shot(item: Item, call: Call) -> Item | None:
    """Leave the worked examples out."""
    return msgspec.structs.replace(item, shots=()) if item.shots else None


def few_shot(item: Item, call: Call) -> Item | None:
    """Put worked examples in front: other items of the task, with their answers.

    The pool is shuffled, for each item anew or once for all, and the first that are neither this item nor ask
    the same are taken.
    """
    k, sample, pool = int(call.options["k"]), item.sample, call.pool
    if any(sample.extra.get(key) for key in _ALONE):
        return None
    draw = Draw(f"{call.options['seed']}|few_shot") if call.options["same"] == "yes" else call.draw
    moved: dict[int, int] = {}  # a shuffle of the pool that remembers only what it moved
    shots: list[str] = []
    for i in range(len(pool)):
        j = i + draw.below(len(pool) - i)
        one = pool[moved.get(j, j)]
        moved[j] = moved.get(i, i)
        if one.id == sample.id or not one.target or any(one.extra.get(key) for key in _ALONE):
            continue
        bare = split(one).sample
        if bare.input != sample.input:
            shots.append(_worked(bare))
        if len(shots) == k:
            gap = "" if sample.input.startswith("\n") else "\n\n"
            return msgspec.structs.replace(item, shots=tuple(shots), gap=gap)
    return None


def _worked(sample: Sample) -> str:
    text = sample.input
    tight = text[-1:].isspace() or sample.target[:1].isspace() or " " not in text.strip()
    return text + ("" if tight else " ") + sample.target.rstrip()


def step_by_step(item: Item, call: Call) -> Item | None:
    """Ask for the working, and for the answer behind a cue that `read_answer` finds."""
    sample = item.sample
    if sample.choices or "\n" in sample.target.strip() or any(key in sample.extra for key in _FORMED):
        return None
    turns = sample.extra.get("turns")
    if turns:
        asked = item.with_extra(turns=[*turns[:-1], f"{turns[-1]}\n\n{_STEPS}"])
    else:
        parts = anatomy(sample.input)
        if not parts.natural:
            return None
        own_line = parts.cue.strip()[-1:] == ":"
        end = "\nWorking:" if own_line else ""
        body = parts.body if own_line else parts.body + parts.cue
        asked = item.with_input(f"{parts.label}{body.rstrip()}\n\n{_STEPS}{end}")
    return asked.with_extra(**{CUE_KEY: CUE})


def paraphrased(item: Item, call: Call) -> Item | None:
    """Put the item into another template."""
    number = int(call.options["template"])
    before, cue = _TEMPLATES[number - 1] if number else call.draw.one(_TEMPLATES)
    return _framed(item, before, cue)


def in_language(item: Item, call: Call) -> Item | None:
    """Put the item into a template in another language."""
    before, cue = _LANGUAGES[str(call.options["to"])]
    return _framed(item, before, cue)


def _framed(item: Item, before: str, cue: str) -> Item | None:
    parts = anatomy(item.sample.input)
    if not parts.natural:
        return None
    after = f"\n{cue}" if parts.cue.strip()[-1:] == ":" else parts.cue
    return item.with_input(f"{before}\n\n{parts.body.strip()}{after}")


def polite(item: Item, call: Call) -> Item | None:
    """Add a courtesy behind the item."""
    text = append(item.sample.input, "Thank you.")
    return None if text is None else item.with_input(text)


VARIANTS = (
    VariantInfo(
        name="zero_shot",
        group="style",
        summary="Without the worked examples that the item brings.",
        keeps="The item itself.",
        step=zero_shot,
        seeded=False,
    ),
    VariantInfo(
        name="few_shot",
        group="style",
        summary="After worked examples from the task's other items.",
        keeps="The item itself; no example is the item or asks the same.",
        step=few_shot,
        parameters=(
            Parameter("k", 3, "examples", low=1, high=64),
            Parameter("same", "no", "the same examples for all items", ("no", "yes")),
        ),
    ),
    VariantInfo(
        name="step_by_step",
        group="style",
        summary='Asks for the working first, and for the answer behind "Answer:".',
        keeps='The item itself and its target, which is compared with what stands behind the last "Answer:".',
        step=step_by_step,
        seeded=False,
        kinds=("generation",),
    ),
    VariantInfo(
        name="paraphrased",
        group="style",
        summary="In one of six other templates.",
        keeps="The item's body; its label and cue are worded anew.",
        step=paraphrased,
        parameters=(Parameter("template", 0, "1 to 6, or 0 for any", low=0, high=len(_TEMPLATES)),),
    ),
    VariantInfo(
        name="language",
        group="style",
        summary="In a template in German, Spanish, French, Italian or Chinese.",
        keeps="The item's body and the language of the answer; its label and cue are in the other language.",
        step=in_language,
        parameters=(Parameter("to", "de", "language of the template", tuple(_LANGUAGES)),),
        seeded=False,
    ),
    VariantInfo(
        name="polite",
        group="style",
        summary="With a word of thanks.",
        keeps="The item itself.",
        step=polite,
        seeded=False,
    ),
)
