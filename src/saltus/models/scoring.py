"""Log-probabilities of continuations: one row a context, its continuations side by side behind it.

The context is computed once. Continuations of one token cost nothing more, longer ones become branches that a
4-D mask hides from each other; where an architecture cannot do that, each branch gets a row of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from saltus.models.encoding import Ids
from saltus.models.memory import Budget, in_batches
from saltus.models.network import Network, tree_mask
from saltus.models.prefix import Prefix, alike

if TYPE_CHECKING:
    from torch import Tensor

Scores = tuple[list[float], list[bool]]
LOGITS_LIMIT = 1 << 25  # numbers in one batch's logits: 128 MiB in float32
_MASK_LIMIT = 1 << 25


class Row(NamedTuple):
    """A context with some of its continuations."""

    owner: int
    context: Ids
    branches: list[tuple[int, Ids]]  # which continuation of the owner, its tokens

    @property
    def length(self) -> int:
        """Tokens that go through the network; the last token of a continuation is only predicted."""
        return len(self.context) + sum(len(ids) - 1 for _, ids in self.branches)

    @property
    def places(self) -> int:
        """Places whose logits are needed."""
        return sum(len(ids) for _, ids in self.branches)

    @property
    def is_tree(self) -> bool:
        """Whether two branches stand side by side."""
        return sum(len(ids) > 1 for _, ids in self.branches) > 1


def score(
    network: Network, items: Sequence[tuple[Ids, Sequence[Ids]]], *, budget: Budget, share: bool = True
) -> list[list[Scores]]:
    """Log-probability (nats) of each token of each continuation, and whether it was the likeliest.

    Args:
        network: The model.
        items: Contexts with their continuations; each context has a token at least.
        budget: Most tokens of a batch.
        share: Compute a context once for all its continuations, and once what contexts begin with in common;
            without, each continuation has its own row.
    """
    import torch

    found: list[list[Scores]] = [[([], []) for _ in continuations] for _, continuations in items]
    rows = [row for i, (context, rest) in enumerate(items) for row in _rows(network, i, context, rest, share)]
    groups = alike([row.context for row in rows]) if share else [(0, list(range(len(rows))))]
    with torch.inference_mode():
        for shared, members in groups:
            prefix = None
            if shared and network.takes_prefix:
                prefix = Prefix(network, rows[members[0]].context[:shared])
            for kind in (False, True):
                in_batches(
                    [rows[i] for i in members if rows[i].is_tree is kind],
                    lambda chosen, tokens: _batches(chosen, tokens, network.vocabulary, square=kind),  # noqa: B023
                    lambda batch: _score_batch(network, batch, found, tree=kind, prefix=prefix),  # noqa: B023
                    budget,
                )
    return found


def _rows(network: Network, owner: int, context: Ids, rest: Sequence[Ids], share: bool) -> Iterator[Row]:
    asked = [(i, ids) for i, ids in enumerate(rest) if ids]
    if not share:
        yield from (Row(owner, context, [one]) for one in asked)
        return
    row = Row(owner, context, asked)
    longest = min(network.context or row.length, network.window or row.length)
    if not row.is_tree or (row.length <= longest and network.takes_tree_mask):
        if asked:
            yield row
        return
    short = [one for one in asked if len(one[1]) == 1]
    if short:
        yield Row(owner, context, short)
    yield from (Row(owner, context, [one]) for one in asked if len(one[1]) > 1)


def _batches(rows: Iterable[Row], tokens: int, vocabulary: int, *, square: bool) -> Iterator[list[Row]]:
    """Rows of like length together, within the budgets of tokens, logits and (for trees) the mask."""
    batch: list[Row] = []
    longest = places = 0
    for row in sorted(rows, key=lambda row: (-row.length, row.owner)):
        size = len(batch) + 1
        longest = max(longest, row.length)
        places += row.places
        mask = size * longest**2 if square else 0
        if batch and (size * longest > tokens or places * vocabulary > LOGITS_LIMIT or mask > _MASK_LIMIT):
            yield batch
            batch, longest, places = [], row.length, row.places
        batch.append(row)
    if batch:
        yield batch


def _score_batch(
    network: Network,
    batch: Sequence[Row],
    found: list[list[Scores]],
    *,
    tree: bool,
    prefix: Prefix | None,
) -> None:
    import torch

    layout = _Layout(batch, prefix.length if prefix else 0)
    tensor: Callable[[Any], Tensor] = lambda array: torch.from_numpy(array).to(network.device)  # noqa: E731
    extra: dict[str, Any] = {}
    if tree:
        extra["position_ids"] = tensor(layout.positions)
        mask = tree_mask(tensor(layout.branch), network.dtype)
        extra["attention_mask"] = prefix.before(mask) if prefix else mask
    if prefix is not None:
        extra["past_key_values"] = prefix.copies(len(batch))
    places, back = np.unique(np.array(layout.places), return_inverse=True)
    logits, _ = network.logits(tensor(layout.ids), tensor(places), use_cache=prefix is not None, **extra)
    which, targets = tensor(back), tensor(np.array(layout.targets))
    logprobs = (logits[which, targets] - logits.logsumexp(-1)[which]).tolist()
    greedy = (logits.argmax(-1)[which] == targets).tolist()
    start = 0
    for owner, branch, length in layout.owners:
        found[owner][branch] = (logprobs[start : start + length], greedy[start : start + length])
        start += length


class _Layout:
    """Where everything of a batch lies. Padding is on the right, where no causal model looks.

    Args:
        batch: Its rows.
        skip: Tokens at the beginning of each context that went through the network before.
    """

    def __init__(self, batch: Sequence[Row], skip: int = 0) -> None:
        width = max(row.length for row in batch) - skip
        shape = (len(batch), width)
        self.ids = np.zeros(shape, np.int64)
        self.positions = np.zeros(shape, np.int64)
        self.branch = np.full(shape, -1, np.int64)
        self.places: list[int] = []
        self.targets: list[int] = []
        self.owners: list[tuple[int, int, int]] = []
        for i, row in enumerate(batch):
            at = len(row.context) - skip
            self.ids[i, :at] = row.context[skip:]
            self.positions[i, :at] = skip + np.arange(at)
            self.branch[i, :at] = 0
            for number, (which, ids) in enumerate(row.branches, 1):
                end = at + len(ids) - 1
                self.ids[i, at:end] = ids[:-1]
                self.positions[i, at:end] = len(row.context) + np.arange(len(ids) - 1)
                self.branch[i, at:end] = number
                # The context predicts the first token.
                self.places.append(i * width + len(row.context) - skip - 1)
                self.places.extend(range(i * width + at, i * width + end))
                self.targets.extend(ids)
                self.owners.append((row.owner, which, len(ids)))
                at = end
