"""Prompts that begin alike, as few-shot prompts do: the common beginning goes through the network once.

What is kept of it is the key-value cache; each batch gets a copy. A trial shows whether an architecture can
do that.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from saltus.models.encoding import Ids
from saltus.models.network import Network

if TYPE_CHECKING:
    from torch import Tensor

_WORTH_TOKENS = 24  # of a common beginning; a shorter one costs less than the copies of its cache
_WORTH_SHARE = 0.3  # of the shortest member
_WORTH_MEMBERS = 4


def alike(prompts: Sequence[Ids]) -> list[tuple[int, list[int]]]:
    """Group prompts by what they begin with.

    Returns:
        Length of the common beginning (0 where nothing is shared) and the places of the prompts. The last
        token of a prompt is never part of it.

    Examples:
        >>> shots = list(range(40))
        >>> alike([[*shots, 1], [7], [*shots, 2], [*shots, 3], [*shots, 4, 5]])
        [(40, [0, 2, 3, 4]), (0, [1])]
    """
    order = sorted(range(len(prompts)), key=lambda place: prompts[place])
    found: list[tuple[int, list[int]]] = []
    alone: list[int] = []
    at = 0
    while at < len(order):
        members, shared = _run(prompts, order, at)
        if len(members) >= _WORTH_MEMBERS:
            found.append((shared, sorted(members)))
        else:
            alone += members
        at += len(members)
    return [*found, (0, sorted(alone))] if alone else found


def _run(prompts: Sequence[Ids], order: Sequence[int], at: int) -> tuple[list[int], int]:
    """As many neighbours from here as share enough."""
    members = [order[at]]
    shared = len(prompts[order[at]]) - 1
    shortest = shared + 1
    for place in order[at + 1 :]:
        common = _common(prompts[members[-1]], prompts[place], min(shared, len(prompts[place]) - 1))
        shortest_now = min(shortest, len(prompts[place]))
        if common < _WORTH_TOKENS or common < _WORTH_SHARE * shortest_now:
            break
        members.append(place)
        shared, shortest = common, shortest_now
    return members, shared


def _common(one: Ids, other: Ids, most: int) -> int:
    if one[:most] == other[:most]:
        return most
    return next(i for i in range(most) if one[i] != other[i])


class Prefix:
    """A beginning that has been through the network.

    Attributes:
        length: Its tokens.
    """

    def __init__(self, network: Network, ids: Ids) -> None:
        self.length = len(ids)
        tensor = network.tensor([ids])
        _, self._cache = network.logits(tensor, network.tensor([len(ids) - 1]), use_cache=True)

    def copies(self, rows: int) -> Any:
        """A cache for so many rows that all begin with it; it is the caller's to change."""
        cache = copy.deepcopy(self._cache)
        if rows > 1:
            cache.batch_repeat_interleave(rows)
        return cache

    def before(self, mask: Tensor) -> Tensor:
        """An additive mask, rows x 1 x tokens x tokens, with the beginning (which all see) before it."""
        import torch

        shape = (*mask.shape[:-1], self.length)
        return torch.cat([torch.zeros(shape, dtype=mask.dtype, device=mask.device), mask], -1)


def takes_prefix(network: Network) -> bool:
    """Whether rows that go on from a copied cache get the same answer as whole ones; found out by a trial."""
    if network.window is not None:
        return False  # a cache that forgets cannot be gone on from at any length

    def from_copies() -> list[Tensor]:
        prefix = Prefix(network, network.probe_ids([0, 1, 2]))
        rest = network.tensor([network.probe_ids([3, 4]), network.probe_ids([5, 6])])
        logits, _ = network.logits(
            rest, network.tensor([0, 1, 2, 3]), past_key_values=prefix.copies(2), use_cache=True
        )
        return [logits]

    import torch

    whole = [
        network.logits(
            network.tensor([network.probe_ids([0, 1, 2, *rest])]), network.tensor([3, 4]), use_cache=False
        )[0]
        for rest in ([3, 4], [5, 6])
    ]
    return network.agrees([torch.cat(whole)], from_copies)
