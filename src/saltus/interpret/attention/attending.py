"""Reductions of attention patterns inside the hook, so that no pattern is ever kept: what `heads` averages.

Each function runs probes or prompts through a model and gives one number a sequence, layer and head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from saltus.interpret.attention.probes import Probe, Probes
from saltus.interpret.network.cache import batch_tokens
from saltus.interpret.network.hooked import Batch, HookedModel, Read, Site
from saltus.interpret.network.prompts import Ints, Prompts
from saltus.interpret.readout.norms import freeze

Floats = NDArray[np.float64]
_PLACES = 16  # of each sequence, whose tokens a head may copy


def on_repeat(model: HookedModel, probe: Probe) -> Floats:
    """Shares of attention on a probe that repeats a segment.

    Returns:
        4 x sequences x layers x heads: to the previous token, to the token after the earlier occurrence, to
        that occurrence, to the first token.
    """
    layers = range(model.anatomy.layers)
    parts = []
    for batch in _batches(model, probe.tokens):
        own = batch.rows.cpu().numpy()
        read = _repeat_read(probe.queries[own], probe.earlier[own], probe.start, model.device)
        found = model.run(batch, read={Site("pattern", i): read for i in layers}, logits=False).values
        parts.append(torch.stack([found[Site("pattern", i)] for i in layers], dim=2))
    return _numbers(torch.cat(parts, dim=1))


def uniform_on_repeat(probe: Probe) -> tuple[float, float, float, float]:
    """The same of uniform attention."""
    each = 1 / np.arange(1, probe.tokens.shape[1] + 1)
    late = float(each[probe.queries].mean())
    return float(each[probe.earlier + 1].mean()), late, late, float(each[max(probe.start, 1) :].mean())


def on_random(model: HookedModel, probes: Probes) -> tuple[Ints, Floats, Floats, int]:
    """Attention at a fixed distance, and copying, on sequences where nothing repeats.

    Returns:
        The distance at which each head attends most, layers x heads, by the first half of the sequences; its
        share of attention in the other sequences, sequences x layers x heads; the share of places whose token
        a head copies, sequences x layers x heads; and between how many tokens it chose.
    """
    layers = range(model.anatomy.layers)
    rows, length = probes.random.shape
    places = np.linspace(probes.start, length - 1, min(_PLACES, length - probes.start)).astype(int)
    candidates, own = np.unique(probes.random[:, places], return_inverse=True)
    copying = _copying(model, candidates, own.reshape(rows, -1), places)
    profiles, copied = [], []
    for batch in _batches(model, probes.random):
        read: dict[Site, Read | None] = {
            Site("pattern", i): _profile_read(probes.start, probes.stride) for i in layers
        }
        read |= {Site("value", i): copying(i, batch) for i in layers}
        found = model.run(batch, read=read, logits=False).values
        profiles.append(torch.stack([found[Site("pattern", i)] for i in layers], dim=1))
        copied.append(torch.stack([found[Site("value", i)] for i in layers], dim=1))
    profile = _numbers(torch.cat(profiles))  # sequences, layers, heads, distances
    half = rows // 2
    distances = profile[:half].mean(0).argmax(-1)
    fixed = np.take_along_axis(profile[half:], distances[None, ..., None], axis=-1)[..., 0]
    return distances, fixed, _numbers(torch.cat(copied)), len(candidates)


def on_prompts(model: HookedModel, prompts: Prompts) -> tuple[Floats, Floats]:
    """Attention from the place that predicts the answer to the marked sources.

    Args:
        model: The model.
        prompts: With sources, and one row a sample.

    Returns:
        Samples x layers x heads, and the same of uniform attention, samples.
    """
    assert prompts.sources is not None  # noqa: S101 - the caller has seen to it
    layers = range(model.anatomy.layers)
    out = np.zeros((len(prompts), model.anatomy.layers, model.anatomy.heads))
    for batch in prompts.batches(model.device, _tokens(model, prompts.tokens.shape[1])):
        own = batch.rows.cpu().numpy()
        read = _source_read(prompts.starts[own], prompts.sources[own], model.device)
        found = model.run(batch, read={Site("pattern", i): read for i in layers}, logits=False).values
        out[own] = _numbers(torch.stack([found[Site("pattern", i)] for i in layers], dim=1))
    return out, (prompts.sources >= 0).sum(1) / (prompts.starts + 1)


def _repeat_read(queries: Ints, earlier: Ints, start: int, device: torch.device) -> Read:
    query, key = torch.from_numpy(queries.copy()).to(device), torch.from_numpy(earlier).to(device)
    row = torch.arange(len(queries), device=device)[:, None]

    def read(pattern: Tensor) -> Tensor:
        previous = pattern[row, :, key + 1, key].mean(1)
        induction = pattern[row, :, query, key + 1].mean(1)
        duplicate = pattern[row, :, query, key].mean(1)
        first = pattern[:, :, max(start, 1) :, 0].mean(-1)
        return torch.stack([previous, induction, duplicate, first])

    return read


def _profile_read(start: int, stride: int) -> Read:
    """Mean attention by distance, up to two thirds of the sequence, not counting the start."""

    def read(pattern: Tensor) -> Tensor:
        own = pattern[..., start::stride, start:]
        length = own.shape[-1]
        query = torch.arange(0, length, stride, device=own.device)[:, None]
        key = query - torch.arange(2 * length // 3 + 1, device=own.device)[None]
        there = key >= 0
        found = own.gather(-1, key.clamp(min=0).expand(*own.shape[:-2], -1, -1)) * there
        return found.sum(2) / there.sum(0)

    return read


def _source_read(starts: Ints, sources: Ints, device: torch.device) -> Read:
    query = torch.from_numpy(starts).to(device)
    keys = torch.from_numpy(sources).to(device)
    row = torch.arange(len(starts), device=device)

    def read(pattern: Tensor) -> Tensor:
        own = pattern[row, :, query]
        keyed = own.gather(-1, keys.clamp(min=0)[:, None].expand(-1, own.shape[1], -1))
        return (keyed * (keys >= 0)[:, None]).sum(-1)

    return read


def _copying(model: HookedModel, candidates: Ints, own: Ints, places: Ints) -> Callable[[int, Batch], Read]:
    """What reads, from the values of a layer, how often a head would raise the token it attends to most."""
    sizes = model.anatomy
    norm = freeze(model.final_norm, sizes.width, model.name)
    unembedding = model.unembedding[:, torch.from_numpy(candidates).to(model.device)].T.float()

    def of(layer: int, batch: Batch) -> Read:
        towards = norm.back(unembedding)
        after = model.module(layer, "attention_out")
        if after is not None:  # a norm between the heads and the residual stream
            towards = freeze(after, sizes.width, model.name).back(towards)
        # heads x head width x candidates
        circuit = model.out_weights(layer).float() @ towards.T
        right = torch.from_numpy(own).to(model.device)[batch.rows]

        def read(value: Tensor) -> Tensor:
            held = value[:, places].float().repeat_interleave(sizes.heads // sizes.kv_heads, dim=2)
            logits = torch.einsum("bphw,hwc->bphc", held, circuit)
            logits = logits - logits.mean((0, 1), keepdim=True)
            return (logits.argmax(-1) == right[..., None]).double().mean(1)

        return read

    return of


def _batches(model: HookedModel, tokens: Ints) -> Iterator[Batch]:
    many = _tokens(model, tokens.shape[1]) // tokens.shape[1]
    for start in range(0, len(tokens), many):
        rows = np.arange(start, min(start + many, len(tokens)))
        yield Batch(
            torch.from_numpy(tokens[rows]).to(model.device),
            torch.full((len(rows),), tokens.shape[1], device=model.device),
            torch.from_numpy(rows).to(model.device),
        )


def _tokens(model: HookedModel, length: int) -> int:
    """Most tokens of a batch: patterns of one layer at a time must fit into memory."""
    return batch_tokens(model, length, {Site("pattern", 0): torch.clone})


def _numbers(values: Tensor) -> Floats:
    found: Floats = values.double().cpu().numpy()
    return found
