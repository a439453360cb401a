"""A variant by its name, and the list of all; this is what a run calls for each sample."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from saltus.records.evidence import Sample
from saltus.tasks.task import Kind
from saltus.tasks.variants import (
    attack,
    context,
    novelty,
    order,
    styles,
    surface,
    tools,
    wording,
)
from saltus.tasks.variants.draw import Draw
from saltus.tasks.variants.grammar import Step, parse
from saltus.tasks.variants.item import Call, Group, VariantInfo, split

_KNOWN: dict[str, VariantInfo] = {
    info.name: info
    for module in (styles, surface, wording, order, context, attack, tools, novelty)
    for info in module.VARIANTS
}
_WEIGHT: tuple[Group, ...] = ("style", "perturbation", "adversarial", "novelty")


class Variant(msgspec.Struct, frozen=True):
    """One way to ask the samples of a task; made by `get_variant`.

    Attributes:
        steps: What is done, in this order.
    """

    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """How it is stored: the same variant always has the same name."""
        return "+".join(step.name for step in self.steps)

    @property
    def group(self) -> Group:
        """The last of "style", "perturbation", "adversarial" and "novelty" that a step is in."""
        return max((step.info.group for step in self.steps), key=_WEIGHT.index)

    @property
    def keeps(self) -> str:
        """What has to stay the same, step by step."""
        return " ".join(dict.fromkeys(step.info.keeps for step in self.steps))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Kinds of task that it makes sense for."""
        every = [step.info.kinds for step in self.steps]
        return tuple(kind for kind in every[0] if all(kind in kinds for kinds in every))

    def apply(self, sample: Sample, pool: Sequence[Sample] = ()) -> Sample | None:
        """Ask a sample this way.

        The result depends on the variant, its seed, the sample and, where other items are shown, the pool; on
        nothing else, so that it is the same on every machine.

        Args:
            sample: As the task gives it.
            pool: Samples of the same task, from which examples and wrong answers are taken.

        Returns:
            The sample with the same task and id and with a target that is right for it; None when a step does
            not apply, or when nothing would change.
        """
        item = split(sample)
        for place, step in enumerate(self.steps):
            draw = Draw(f"{step.options.get('seed', 0)}|{place}|{step.name}|{sample.id}")
            changed = step.info.step(item, Call(step.options, draw, pool))
            if changed is None:
                return None
            item = changed
        asked = item.joined()
        return None if asked == sample else asked


def get_variant(text: str, seed: int = 0) -> Variant:
    """Make a variant from its name.

    Args:
        text: Such as "typos:rate=0.1" or "few_shot:k=3+typos"; steps are done from left to right.
        seed: Of all steps that draw and name no seed of their own; it stands in the name unless it is 0.

    Raises:
        UsageError: There is no such variant or option, or a value is out of range.

    Examples:
        >>> get_variant("few_shot + typos:rate=0.20").name
        'few_shot:k=3,same=no+typos:kind=mixed,rate=0.2'
    """
    return Variant(parse(text, _KNOWN, seed))


def list_variants(group: Group | None = None) -> tuple[VariantInfo, ...]:
    """Every kind of variant, or those of one group, in the order of the documentation."""
    return tuple(info for info in _KNOWN.values() if group in (None, info.group))
