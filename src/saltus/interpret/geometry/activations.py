"""Activations at chosen places as plain arrays: what the statistics of this package are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network.hooked import Batch, HookedModel, Read, Site
from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import InputError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

Ints = NDArray[np.int64]
Features = NDArray[np.float32]

BATCH_TOKENS = 16_384


class Places(msgspec.Struct, frozen=True):
    """Tokens of prompts, one a sample of whatever is computed.

    Attributes:
        rows: Of the prompts.
        at: Places in those rows.
    """

    rows: Ints
    at: Ints

    def __len__(self) -> int:
        return len(self.rows)


def ends(prompts: Prompts) -> Places:
    """The last token of each prompt, which has to know the answer; wrong choices are left out."""
    rows = np.flatnonzero(prompts.right)
    return Places(rows, prompts.starts[rows])


def sources(prompts: Prompts) -> Places:
    """The tokens that hold the answer.

    Raises:
        InputError: The task marks none.
    """
    if prompts.sources is None:
        raise InputError(
            f"task {prompts.task} marks no sources; mark `sources` on its items or give the places",
            field="sources",
        )
    rows = np.flatnonzero(prompts.right)
    own, column = np.nonzero(prompts.sources[rows] >= 0)
    return Places(rows[own], prompts.sources[rows[own], column])


def every_token(prompts: Prompts, *, first: int = 0) -> Places:
    """All tokens of the prompts from place `first` on; answers and wrong choices are left out."""
    rows = np.flatnonzero(prompts.right)
    counts = np.maximum(prompts.starts[rows] + 1 - first, 0)
    at = [np.arange(first, first + count) for count in counts]
    return Places(np.repeat(rows, counts), np.concatenate([np.empty(0, np.int64), *at]))


def groups_of(prompts: Prompts, places: Places) -> NDArray[Any] | None:
    """What places belong together: those of one cluster or prompt; None where each stands alone."""
    items = prompts.items[places.rows]
    if prompts.clusters is not None:
        return np.asarray(prompts.clusters)[items]
    return None if len(np.unique(items)) == len(items) else items


def read_features(
    model: HookedModel,
    prompts: Prompts,
    sites: Sequence[Site],
    places: Places | None = None,
    *,
    batch_tokens: int = BATCH_TOKENS,
) -> dict[Site, Features]:
    """Activations at places, the rest of each batch thrown away on the way.

    Args:
        model: The model.
        prompts: What it reads.
        sites: Any but "pattern".
        places: The last token of each prompt when None.
        batch_tokens: Most tokens of a batch.

    Returns:
        Places x numbers for each site; heads stand one after the other.

    Raises:
        UsageError: A pattern is asked for, there is no place, or one lies outside its row.
    """
    places = ends(prompts) if places is None else places
    _check(prompts, sites, places)
    order = np.argsort(places.rows, kind="stable")
    bounds = np.searchsorted(places.rows[order], np.arange(len(prompts) + 1))
    counts = np.diff(bounds)
    used = np.flatnonzero(counts)
    out: dict[Site, Features] = {}
    part = prompts if len(used) == len(prompts) else _rows_of(prompts, used)
    for batch in part.batches(model.device, batch_tokens):
        rows = used[batch.rows.cpu().numpy()]
        samples = np.concatenate([order[bounds[row] : bounds[row + 1]] for row in rows])
        index = np.repeat(np.arange(len(rows)), counts[rows])
        keep = _taken(batch, index, places.at[samples])
        for site, value in model.run(batch, read=dict.fromkeys(sites, keep), logits=False).values.items():
            if site not in out:
                out[site] = np.empty((len(places), value.shape[1]), np.float32)
            out[site][samples] = value.cpu().numpy()
    return out


def _rows_of(prompts: Prompts, rows: Ints) -> Prompts:
    """Only these rows, without what is of no use for reading."""
    return msgspec.structs.replace(
        prompts, tokens=prompts.tokens[rows], lengths=prompts.lengths[rows], sources=None, twins=None
    )


def _taken(batch: Batch, rows: Ints, at: Ints) -> Read:
    import torch

    own = torch.from_numpy(rows).to(batch.tokens.device), torch.from_numpy(at).to(batch.tokens.device)

    def taken(value: Tensor) -> Tensor:
        return value[own].flatten(1).float()

    return taken


def _check(prompts: Prompts, sites: Sequence[Site], places: Places) -> None:
    if any(site.kind == "pattern" for site in sites):
        raise UsageError("attention patterns are no features of a token; read another site", field="site")
    if not len(places):
        raise UsageError("there is no place to read at; give at least one", field="places")
    outside = (places.at < 0) | (places.at >= prompts.lengths[places.rows])
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        row, at = int(places.rows[first]), int(places.at[first])
        raise UsageError(
            f"place {at} lies outside prompt {row}, which has {int(prompts.lengths[row])} tokens; give "
            "places within the prompt",
            field="places",
        )
