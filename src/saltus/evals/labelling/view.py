"""What a rater sees of an item: the question, the answer, nothing that says who gave it or what it scored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from saltus.evals.judge import question as asked
from saltus.evals.judge import shown
from saltus.evals.stored import Unit, some
from saltus.records.errors import StoreError
from saltus.records.evidence import Response, Sample
from saltus.records.ids import content_hash

if TYPE_CHECKING:
    from saltus.evals.labelling.queue import Queue, QueueItem
    from saltus.store import Store


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One item as raters see it.

    Attributes:
        system: System prompt, empty when there is none.
        tools: Tools that could be called, as JSON; empty when there are none.
        question: What was asked, with earlier turns.
        choices: Of a multiple choice.
        answer: What came back, with tools that were called.
        reference: The right answer, None where raters may not see it.
    """

    system: str = ""
    tools: str = ""
    question: str
    choices: tuple[str, ...] = ()
    answer: str
    reference: str | None = None

    @property
    def hash(self) -> str:
        """Content hash, which each label keeps: what exactly was judged."""
        return content_hash(self)


def make_view(sample: Sample, response: Response, *, target: bool) -> View:
    """Show a response.

    Args:
        sample: What was asked.
        response: What came back.
        target: Show the right answer too.
    """
    tools = sample.extra.get("tools")
    reference = "\n".join([sample.target.strip(), *map(str, sample.extra.get("references", ()))]).strip()
    return View(
        system=str(sample.extra.get("system", "")),
        tools=json.dumps(tools, indent=2, ensure_ascii=False) if tools else "",
        question=asked(sample, response).removeprefix("[Question]\n"),
        choices=sample.choices,
        answer=shown(response),
        reference=reference if target and reference else None,
    )


def view_item(store: Store, queue: Queue, item: QueueItem) -> View:
    """Show an item of a queue.

    Raises:
        StoreError: The response is not there, or is not the one that the queue was made of.
    """
    unit = Unit(queue.run, item.model, item.task, 1)
    for sample, response in some(store, unit, [item.sample]):
        if (response.variant, response.epoch) == (item.variant, item.epoch):
            view = make_view(sample, response, target=queue.question.target)
            if view.hash == item.shown:
                return view
    raise StoreError(
        f"item {item.number} of queue {queue.id} is not the response that the queue was made of; make a new "
        "queue with `saltus label queue`",
        path=str(store.path),
    )
