"""From the rows of a split to samples: what is asked of the model for each, and what the right answer is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from saltus.records.errors import InputError
from saltus.records.evidence import Sample
from saltus.tasks.lm_eval.config import Config
from saltus.tasks.lm_eval.docs import Docs
from saltus.tasks.lm_eval.prompts import Prompter
from saltus.tasks.lm_eval.templates import Doc, Texts
from saltus.tasks.suites.problems import Fault, shown


class Shape(msgspec.Struct, frozen=True):
    """What the harness takes from the first item for all of them.

    Attributes:
        several: Whether an item has several right answers.
    """

    several: bool = False


class Items:
    """The samples of a task, made anew each time they are gone through.

    Args:
        config: The task.
        docs: Its items.
        pool: Where examples come from, None when there are none.
        version: Of the task.
    """

    def __init__(self, config: Config, docs: Docs, pool: Docs | None, version: str) -> None:
        self._config, self._docs, self._pool, self._version = config, docs, pool, version

    def __call__(self) -> Iterator[Sample]:
        """Each sample in the order of the split.

        Raises:
            InputError: A template or an item is wrong.
        """
        config = self._config
        try:
            shape = look_at_first(config, self._docs)
            prompter = Prompter(config, self._docs.columns, self._pool)
        except Fault as fault:
            raise located(fault, config) from fault
        for number, doc in enumerate(self._docs):
            try:
                yield self._sample(number, doc, prompter, shape)
            except Fault as fault:
                raise located(fault, config, number) from fault

    def _sample(self, number: int, doc: Doc, prompter: Prompter, shape: Shape) -> Sample:
        config = self._config
        match config.output_type:
            case "multiple_choice":
                parts = _choices(doc, prompter.texts, shape)
            case "generate_until":
                parts = _answer(doc, prompter.texts, shape)
            case _:
                parts = {"target": _text(prompter.texts.target(doc))}
        rolling = config.output_type == "loglikelihood_rolling"
        return Sample(
            task=config.task,
            task_version=self._version,
            id=str(number),
            input="" if rolling else prompter.prompt(doc),
            **parts,
        )


def look_at_first(config: Config, docs: Docs) -> Shape:
    """Look at the first item, as the harness does.

    Raises:
        Fault: There is none, or the choices are questions (several contexts for one answer).
    """
    if not len(docs):
        raise Fault("the split that is asked has no items; name another one", "test_split")
    doc = docs[0]
    texts = Texts(config.texts, docs.columns, has_choices=config.has_choices)
    needs_text = config.output_type != "loglikelihood_rolling" or config.texts["doc_to_text"] is not None
    if needs_text and isinstance(texts.text(doc), int) and config.has_choices:
        raise Fault(
            "doc_to_text gives a number, so that the choices are questions (as in Winogrande), which "
            "is not supported; run this task with lm-evaluation-harness",
            "doc_to_text",
        )
    if config.output_type == "multiple_choice" and not config.has_choices:
        raise Fault("a task of multiple_choice needs doc_to_choice; write it", "doc_to_choice")
    target = texts.target(doc)
    return Shape(several=isinstance(target, list) and bool(target))


def located(fault: Fault, config: Config, item: int | None = None) -> InputError:
    """The error that a user sees, at the line of the field at fault."""
    place = config.definition.place((fault.field,) if fault.field else ())
    where = f"item {item} of {config.task}: " if item is not None else ""
    return InputError(where + fault.sentence, path=place.path, line=place.line, field=fault.field or None)


def _choices(doc: Doc, texts: Texts, shape: Shape) -> dict[str, Any]:
    choices = texts.choices(doc)
    gold = texts.target(doc)
    right = [_index(one, choices) for one in (gold if isinstance(gold, list) else [gold])]
    if not right:
        raise Fault("doc_to_target gives an empty list; name a right choice", "doc_to_target")
    delimiter = texts.sources["target_delimiter"]
    asked = tuple(delimiter + choice for choice in choices)
    return {
        "target": asked[right[0]],
        "choices": asked,
        "answer": right[0],
        "chance": len(set(right)) / len(choices),
        "extra": {"answers": right} if shape.several else {},
    }


def _index(gold: Any, choices: list[str]) -> int:
    if isinstance(gold, str) and gold in choices:
        return choices.index(gold)
    if isinstance(gold, int | float) and gold == int(gold) and 0 <= gold < len(choices):
        return int(gold)
    raise Fault(
        f"doc_to_target gives {shown(gold)}, which is none of the {len(choices)} choices, nor the index of "
        "one; mend the item, or leave it out with a split that has answers",
        "doc_to_target",
    )


def _answer(doc: Doc, texts: Texts, shape: Shape) -> dict[str, Any]:
    gold = texts.target(doc)
    if texts.sources["doc_to_choice"] is not None:
        choices = texts.choices(doc)
        if not isinstance(gold, int) or not -len(choices) <= gold < len(choices):
            raise Fault(
                f"doc_to_target gives {shown(gold)}, and with doc_to_choice it must be the index of a choice",
                "doc_to_target",
            )
        gold = choices[gold]
    delimiter = texts.sources["target_delimiter"]
    if not shape.several:
        return {"target": f"{delimiter}{gold}"}
    golds = [str(one) for one in (gold if isinstance(gold, list) else [gold])]
    if not golds:
        raise Fault("doc_to_target gives an empty list; give a right answer", "doc_to_target")
    return {"target": f"{delimiter}{golds[0]}", "extra": {"references": golds}}


def _text(gold: Any) -> str:
    if not isinstance(gold, str) or not gold:
        raise Fault(f"doc_to_target gives {shown(gold)} where text was expected", "doc_to_target")
    return gold
