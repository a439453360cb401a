"""Solved examples before each item: drawn once, the same for all, so that their computation is shared."""

from __future__ import annotations

from collections.abc import Sequence

from saltus.tasks.suites.items import SampleMaker
from saltus.tasks.suites.order import in_order
from saltus.tasks.suites.problems import Fault
from saltus.tasks.suites.sources import Part


class Shots:
    """The examples of one task.

    Args:
        maker: Makes a sample of each example.
        parts: Where they come from.
        k: How many.
        seed: Of the draw.
        separator: Put after each.
        own: Whether they are items of the task itself; an item is then never its own example, the next
            one drawn stands in.

    Raises:
        Fault: There are too few, or one has no answer.
    """

    def __init__(
        self, maker: SampleMaker, parts: Sequence[Part], k: int, *, seed: int, separator: str, own: bool
    ) -> None:
        self._k, self._own = k, own
        self._examples: list[tuple[int, str]] = []
        wanted = k + 1 if own and k else k
        for part, number, index, row in in_order(parts, shuffle=True, seed=seed, limit=wanted):
            try:
                sample = maker.sample(index, row, part)
            except Fault as fault:
                raise Fault(
                    f"the example in {part.unit} {number} of {part.path} is wrong, {fault.sentence}",
                    "few_shot",
                ) from fault
            if not sample.target:
                raise Fault(
                    f"the example in {part.unit} {number} of {part.path} has no target; give it one",
                    "few_shot",
                )
            self._examples.append((index, sample.input + sample.target + separator))
        if len(self._examples) < wanted:
            raise Fault(
                f"few_shot asks for {k} examples and {'the other items are' if own else 'there are'} "
                f"{max(len(self._examples) - own, 0)}; ask for fewer",
                "few_shot",
            )
        self._usual = self._joined(-1)
        self._drawn = {index for index, _ in self._examples} if own else set()

    def before(self, index: int) -> str:
        """What stands before the item of this index."""
        return self._joined(index) if index in self._drawn else self._usual

    def _joined(self, without: int) -> str:
        texts = [text for index, text in self._examples if not self._own or index != without]
        return "".join(texts[: self._k])
