"""Activations of many prompts within a memory budget: how many rows fit, and a stream of them.

`batch_tokens` is what everything in this room that runs a model asks before it cuts prompts into batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from saltus.interpret.network.hooked import Batch, HookedModel, Read, Site
from saltus.records.errors import UsageError

if TYPE_CHECKING:
    from saltus.interpret.network.prompts import Prompts

BUDGET = 1 << 30
MOST_TOKENS = 16_384


def activations(
    model: HookedModel,
    prompts: Prompts,
    read: Mapping[Site, Read | None] | Sequence[Site],
    *,
    budget_bytes: int = BUDGET,
    twins: bool = False,
) -> Iterator[tuple[Batch, dict[Site, Any]]]:
    """Activations batch by batch, each as large as the budget allows.

    Args:
        model: The model.
        prompts: Of one task; short ones come first.
        read: Sites; with a function, what it makes of the activation instead. A function sees one activation
            at a time, so a pattern that is reduced costs one layer and not all of them.
        budget_bytes: Most memory for activations, beside the weights and what the caller keeps.
        twins: The corrupted prompts instead.

    Yields:
        A batch (`rows` says which prompts) and what was read, by site.

    Raises:
        UsageError: A single prompt needs more than the budget.
    """
    length = int(prompts.lengths.max())
    # A loop over this still holds what was read of one batch while the next is run.
    row = row_bytes(model, length, read) + _kept_bytes(model, length, read)
    if row > budget_bytes:
        raise UsageError(
            f"one prompt of {length:,} tokens needs {_size(row)} of activations in {model.name} and the "
            f"budget is {_size(budget_bytes)}; give a larger budget_bytes, fewer sites, functions that "
            "reduce them or shorter prompts",
            field="budget_bytes",
        )
    tokens = min(max(MOST_TOKENS, length), budget_bytes // row * length)
    for batch in prompts.batches(model.device, tokens, twins=twins):
        yield batch, model.run(batch, read=read, logits=False).values


def batch_tokens(
    model: HookedModel,
    length: int,
    read: Mapping[Site, Read | None] | Sequence[Site] = (),
    *,
    places: int = 0,
    gradients: bool = False,
    budget_bytes: int = BUDGET,
) -> int:
    """How many tokens a batch may hold so that a forward pass stays within a memory budget.

    Args:
        model: The model.
        length: Tokens of the longest prompt.
        read: What is read; see `activations`.
        places: Places of each prompt whose logits are asked for.
        gradients: Whether the graph is kept for gradients.
        budget_bytes: Most memory for activations, beside the weights.

    Returns:
        At least the length of one prompt, whatever that needs.
    """
    row = row_bytes(model, length, read, places=places, gradients=gradients)
    return max(length, min(MOST_TOKENS, budget_bytes // row * length))


def row_bytes(
    model: HookedModel,
    length: int,
    read: Mapping[Site, Read | None] | Sequence[Site] = (),
    *,
    places: int = 0,
    gradients: bool = False,
) -> int:
    """What a prompt of so many tokens needs at most, in bytes: one layer at work, and what is kept.

    With gradients every layer is at work at once. It counts tensors as the eager attention of transformers
    makes them (scores, mask and softmax in float32), and half as much again for what the allocator holds.
    """
    sizes, number = model.anatomy, model.number_bytes
    sites: dict[Site, Read | None] = dict(read) if isinstance(read, Mapping) else dict.fromkeys(read)
    projected = (sizes.heads + 2 * sizes.kv_heads) * sizes.head_width
    layer = length * (6 * sizes.width + 2 * projected + 3 * sizes.neurons) * number
    if model.attends_eagerly or any(site.kind == "pattern" for site in sites):
        layer += sizes.heads * length * length * (2 * number + 4)
    at_work = layer * (sizes.layers if gradients else 1)
    # A function that reduces makes copies of what it is given: in float64 at worst.
    seen = max((_numbers(model, site, length) for site, reduce in sites.items() if reduce), default=0) * 8
    logits = places * model.vocabulary * 4 * 3
    return int(1.5 * (at_work + max(seen, logits))) + _kept_bytes(model, length, read)


def _kept_bytes(model: HookedModel, length: int, read: Mapping[Site, Read | None] | Sequence[Site]) -> int:
    """What stays of one prompt until its batch is dropped."""
    sites: dict[Site, Read | None] = dict(read) if isinstance(read, Mapping) else dict.fromkeys(read)
    numbers = sum(_numbers(model, site, length) for site, reduce in sites.items() if reduce is None)
    return numbers * model.number_bytes


def _numbers(model: HookedModel, site: Site, length: int) -> int:
    """Numbers of one activation of one prompt."""
    sizes = model.anatomy
    match site.kind:
        case "pattern":
            return sizes.heads * length * length
        case "query" | "z":
            return length * sizes.heads * sizes.head_width
        case "key" | "value":
            return length * sizes.kv_heads * sizes.head_width
        case "neurons":
            return length * sizes.neurons
        case _:
            return length * sizes.width


def _size(many: int) -> str:
    return f"{many / 1e9:.2g} GB" if many >= 1e9 else f"{many / 1e6:.3g} MB"
