"""Path patching: how much of an answer goes straight from one component into another.

A sender's corrupted output enters one input of a receiver and nothing else; what the receiver then writes
goes on freely (Wang et al. 2023, arXiv:2211.00593, appendix B; Goldowsky-Dill et al. 2023, arXiv:2304.05969).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from saltus.interpret.causal.ablation import sites_of
from saltus.interpret.causal.twins import MEMORY, Direction, Pair, Twins, margins, paired, pairs, put
from saltus.interpret.network.hooked import Batch, Edit, HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import InputError, UsageError
from saltus.records.explanations import Component, Edge

if TYPE_CHECKING:
    from torch import Tensor

LOGITS = "LOGITS"
Into = Literal["q", "k", "v"]
_SITES = {"q": "query", "k": "key", "v": "value"}
_Key = tuple[Component, Component | None, str]  # sender, receiver (None for the logits), input


def path_effects(
    model: HookedModel,
    prompts: Prompts,
    senders: Sequence[Component],
    receivers: Sequence[Component | str],
    *,
    into: Sequence[Into] = ("q", "k", "v"),
    direction: Direction = "noise",
    level: float = 0.9,
    memory: int = MEMORY,
) -> list[Edge]:
    """Direct effects of senders on receivers, as shares of the logit difference.

    With "noise" the sender's corrupted output goes down one path of the clean run, and the effect is the
    share of the difference that is lost: (clean - patched) / (clean - corrupt). With "denoise" its clean
    output goes into the corrupted run, and the effect is the share that is restored. A path from a later
    layer into an earlier one does not exist and is left out; so is one within a layer, but for a head into
    its MLP.

    Args:
        model: The model.
        prompts: With corrupted twins.
        senders: Heads, MLPs, whole attentions, or the embedding.
        receivers: Heads, MLPs, or "LOGITS".
        into: Inputs of receiving heads, one path each. A key or value that several heads share is changed for
            the receiver alone.
        direction: See above.
        level: Of Fieller's intervals over samples.
        memory: Bytes of activations to keep at a time.

    Returns:
        An edge for each path, in order of receivers, then inputs, then senders.

    Raises:
        InputError: There are no twins, or they and the prompts do not clearly differ in the logit difference.
        UsageError: A component can neither send nor receive.
    """
    keys = [
        (sender, receiver, way)
        for receiver in (_receiver(model, one) for one in receivers)
        for way in (into if receiver is not None and receiver.part == "head" else ("",))
        for sender in senders
        if _before(sender, receiver)
    ]
    for sender in senders:
        _check_sender(model, sender)
    own = paired(prompts)
    moved = np.zeros((len(own), len(keys)))
    clean, corrupt = np.zeros(len(own)), np.zeros(len(own))
    sites = _needed(model, senders, [receiver for _, receiver, _ in keys])
    for pair in pairs(model, own, sites, direction, memory, both=True):
        clean[pair.rows], corrupt[pair.rows] = pair.clean, pair.corrupt
        column = {key: i for i, key in enumerate(keys)}
        for key, edits in _paths(model, pair, keys):
            moved[pair.rows, column[key]] = margins(model, own, pair.base, edits)
    twins = Twins(clean, corrupt, own.clusters)
    if twins.problem:
        raise InputError(f"paths of {prompts.task} cannot be measured: {twins.problem}", field="prompts")
    lost = clean[:, None] - moved if direction == "noise" else moved - corrupt[:, None]
    found = zip(keys, twins.shares(lost, level), strict=True)
    return [
        Edge(source=str(sender), target=LOGITS if receiver is None else str(receiver), into=way, effect=share)
        for (sender, receiver, way), share in found
        if share is not None
    ]


def _paths(model: HookedModel, pair: Pair, keys: Sequence[_Key]) -> Iterator[tuple[_Key, list[Edit]]]:
    """For each path the edits of the run whose margin is asked.

    Paths that share a sender, a layer and an input share the pass in which the receivers read.
    """
    last = model.anatomy.layers - 1
    changes: dict[Component, Tensor] = {}
    groups: dict[tuple[Component, int, str, str], list[_Key]] = {}
    for key in keys:
        sender, receiver, way = key
        layer, part = (last, "logits") if receiver is None else (receiver.layer, str(receiver.part))
        groups.setdefault((sender, layer, part, way), []).append(key)
    for (sender, layer, part, way), members in groups.items():
        if sender not in changes:
            changes[sender] = _change(model, pair, sender)
        change = changes[sender]
        if part == "logits":
            yield members[0], [Edit(Site("resid_post", layer), _plus(change))]
        elif part == "mlp":
            site = Site("mlp_out", layer)
            value = model.run(
                pair.base, read=(site,), edits=_into_mlp(pair, sender, layer, change), logits=False
            ).values[site]
            yield members[0], [Edit(site, put(value, None, None))]
        else:
            z = Site("z", layer)
            value = model.run(
                pair.base, read=(z,), edits=_into_heads(model, pair, layer, way, change), logits=False
            ).values[z]
            for key in members:
                assert key[1] is not None  # noqa: S101 - only the logits have none
                yield key, [Edit(z, put(value, [key[1].index], None))]


def _change(model: HookedModel, pair: Pair, sender: Component) -> Tensor:
    """What the sender adds to the residual stream on the other side, less what it adds on this one."""
    match sender.part:
        case "embedding":
            site = Site("resid_pre", 0)
            return pair.given[site] - pair.own[site]
        case "mlp":
            site = Site("mlp_out", sender.layer)
            return pair.given[site] - pair.own[site]
        case _:
            z, out = Site("z", sender.layer), Site("attention_out", sender.layer)
            index = [i for _, i in sites_of(model, sender)]
            # by a run, not by the output weights: some architectures have a norm behind them
            found = model.run(
                pair.base, read=(out,), edits=[Edit(z, put(pair.given[z], index, None))], logits=False
            )
            value: Tensor = found.values[out]
            return value - pair.own[out]


def _into_heads(model: HookedModel, pair: Pair, layer: int, way: str, change: Tensor) -> list[Edit]:
    """Edits after which the heads of a layer read the change in one of their inputs, and nowhere else."""
    site = Site(_SITES[way], layer)
    read = model.run(
        pair.base, read=(site,), edits=[Edit(Site("resid_pre", layer), _plus(change))], logits=False
    ).values[site]
    return [Edit(site, put(read, None, None))]


def _into_mlp(pair: Pair, sender: Component, layer: int, change: Tensor) -> list[Edit]:
    """Edits after which the MLP of a layer reads the change and its attention does not pass it on.

    In a block whose MLP reads beside the attention, a head of the same layer reaches nothing.
    """
    out = Site("attention_out", layer)
    kept = pair.own[out]
    if sender.layer == layer:
        return [Edit(out, put(kept + change, None, None))]
    return [Edit(Site("resid_pre", layer), _plus(change)), Edit(out, put(kept, None, None))]


def _plus(change: Tensor) -> Callable[[Tensor, Batch], Tensor]:
    return lambda value, batch: value + change.to(value.dtype)


def _receiver(model: HookedModel, given: Component | str) -> Component | None:
    if given == LOGITS:
        return None
    if not isinstance(given, Component) or given.part not in ("head", "mlp"):
        raise UsageError(f"{given} cannot receive; choose heads, MLPs or {LOGITS}", field="receivers")
    sites_of(model, given)
    return given


def _check_sender(model: HookedModel, given: Component) -> None:
    if given.part not in ("head", "mlp", "attention", "embedding"):
        raise UsageError(f"{given} cannot send; choose heads, MLPs, attentions or EMBED", field="senders")
    if given.part != "embedding":
        sites_of(model, given)


def _before(sender: Component, receiver: Component | None) -> bool:
    """Whether the receiver can read what the sender writes."""
    if receiver is None or sender.part == "embedding":
        return True
    if sender.layer == receiver.layer:
        return sender.part in ("head", "attention") and receiver.part == "mlp"
    return sender.layer < receiver.layer


def _needed(
    model: HookedModel, senders: Sequence[Component], receivers: Sequence[Component | None]
) -> list[Site]:
    sites: set[Site] = set()
    for one in senders:
        match one.part:
            case "embedding":
                sites.add(Site("resid_pre", 0))
            case "mlp":
                sites.add(Site("mlp_out", one.layer))
            case _:
                sites |= {Site("z", one.layer), Site("attention_out", one.layer)}
    sites |= {Site("attention_out", one.layer) for one in receivers if one is not None and one.part == "mlp"}
    return sorted(sites)
