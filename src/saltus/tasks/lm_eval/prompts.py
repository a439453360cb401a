"""Puts a prompt together: description, examples, question, and how the answer begins."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import Any

from saltus.tasks.lm_eval.config import Config, Shots
from saltus.tasks.lm_eval.docs import Docs
from saltus.tasks.lm_eval.templates import Doc, Texts
from saltus.tasks.suites.problems import Fault, shown

SEED = 1234  # the harness's own default for the draw of examples


class Prompter:
    """Writes the prompts of one task; the examples of an item depend on the items before it.

    Args:
        config: The task.
        columns: Those of its items.
        pool: Where examples come from, None when there are none.
    """

    def __init__(self, config: Config, columns: Collection[str], pool: Docs | None) -> None:
        self.texts = Texts(config.texts, columns, has_choices=config.has_choices)
        self._config = config
        self._example_texts = Texts(config.shots.texts, columns, has_choices=config.has_choices)
        # The harness takes an item out of its own examples where both come from the split of one name.
        self._same_split = config.shots.split == config.test_split
        self._sampler = _Sampler(config.shots, pool) if pool is not None and config.shots.count else None

    def prompt(self, doc: Doc) -> str:
        """Everything that stands before the answer."""
        texts = self.texts
        parts = [texts.description(doc)]
        if self._sampler is not None:
            parts += [
                self._example(example)
                for example in self._sampler.examples(doc if self._same_split else None)
            ]
        question = _question(texts.text(doc))
        prefix = texts.prefix(doc)
        between = texts.sources["target_delimiter"] if prefix and _apart(question, prefix) else ""
        return "".join([*parts, question, between, prefix])

    def _example(self, doc: Doc) -> str:
        texts = self._example_texts
        question = _question(texts.text(doc))
        choices = texts.choices(doc) if texts.sources["doc_to_choice"] is not None else None
        answer = texts.target(doc)
        prefix = texts.prefix(doc, doc)
        delimiter = texts.sources["target_delimiter"]
        answered = answer is not None and answer != ""  # 0 is an index
        between = delimiter if (_apart(question, prefix) if prefix else answered) else ""
        if not answered:
            return f"{question}{between}{prefix}"
        if choices and isinstance(answer, int):
            answer = _chosen(choices, answer)
        elif isinstance(answer, list):
            answer = answer[0] if answer else None
        if not isinstance(answer, str):
            raise Fault(
                f"doc_to_target gives {shown(answer)} for an example, where text was expected",
                "doc_to_target",
            )
        space = " " if prefix and answer and not (prefix[-1].isspace() or answer[0].isspace()) else ""
        return f"{question}{between}{prefix}{space}{answer}{texts.sources['fewshot_delimiter']}"


class _Sampler:
    """Draws examples as the harness does: one stream of random numbers for all items of a task, in order."""

    def __init__(self, shots: Shots, pool: Docs) -> None:
        self._shots, self._pool = shots, pool
        self._random = Random(SEED)  # noqa: S311 - the harness's own generator, so that the draw is the same

    def examples(self, item: Doc | None) -> Sequence[Doc]:
        """The examples of the next item; `item` is that item where it must not be among them."""
        count, pool = self._shots.count, self._pool
        if self._shots.sampler == "first_n":
            found: list[Doc] = []
            for doc in pool:
                if len(found) == count:
                    break
                if item is None or doc != item:
                    found.append(doc)
        elif item is None:
            found = self._draw(range(len(pool)), count)
        else:
            found = [doc for doc in self._draw(range(len(pool)), count + 1) if doc != item][:count]
            if len(found) < count:  # the item stands in the pool more than once
                others = [i for i, doc in enumerate(pool) if doc != item]
                found = self._draw(others, count)
        if len(found) < count:
            raise self._too_few(count)
        return found

    def _draw(self, places: Sequence[int], count: int) -> list[Any]:
        if count > len(places):
            raise self._too_few(count)
        return [self._pool[place] for place in self._random.sample(places, count)]

    def _too_few(self, count: int) -> Fault:
        return Fault(
            f"num_fewshot is {self._shots.count}, for which {count} examples are needed, and there are "
            f"{len(self._pool)}; lower it, or name a larger fewshot_split",
            "num_fewshot",
        )


def _question(text: Any) -> str:
    if not isinstance(text, str):
        raise Fault(f"doc_to_text gives {shown(text)} where text was expected", "doc_to_text")
    return text


def _chosen(choices: Sequence[str], index: int) -> str:
    if not -len(choices) <= index < len(choices):
        raise Fault(
            f"doc_to_target gives {index} for an example with {len(choices)} choices; mend the item",
            "doc_to_target",
        )
    return choices[index]


def _apart(before: str, after: str) -> bool:
    """Whether something has to stand between two texts."""
    return bool(before) and not (before[-1].isspace() or after[0].isspace())
