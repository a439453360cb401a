"""Prompts beside their corrupted twins: both runs in batches, their margins, edits from one to the other.

`patching`, `paths` and `screening` are built on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network.hooked import Batch, Edit, HookedModel, Site
from saltus.interpret.network.prompts import Prompts
from saltus.records.errors import InputError, UsageError
from saltus.records.findings import Interval
from saltus.stats.ratio import ratios_of_means

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
Direction = Literal["denoise", "noise"]
Places = Literal["last", "source"]
MEMORY = 256 * 2**20  # bytes of one run's activations that are kept at a time


class Twins(msgspec.Struct, frozen=True):
    """How far prompts and corrupted twins are apart: the yardstick of all patching.

    Attributes:
        clean: Margin of each prompt, the logit of its answer less that of its twin's answer.
        corrupt: Margin of each twin, for the same two tokens.
        clusters: What belongs together, None when nothing does.
    """

    clean: Floats
    corrupt: Floats
    clusters: tuple[str, ...] | None = None

    @property
    def problem(self) -> str:
        """Why no share can be given, in one sentence; empty when it can."""
        found = ratios_of_means(self.clean, self.clean - self.corrupt, self.clusters)
        if found.bounded:
            return ""
        clean, corrupt, n = self.clean.mean(), self.corrupt.mean(), len(self.clean)
        return (
            f"The logit difference is {clean:.3g} on the prompts and {corrupt:.3g} on their corrupted twins "
            f"({n} of each): it is not clearly above, so there is no difference to recover."
        )

    def shares(self, moved: Floats, level: float = 0.9) -> list[Interval | None]:
        """Mean of each column (samples x columns) as a share of the difference, with an interval.

        None throughout where prompts and twins do not clearly differ.
        """
        found = ratios_of_means(moved, self.clean - self.corrupt, self.clusters, level=level)
        if not found.bounded:
            return [None] * len(found.values)
        return [
            Interval(float(value), float(low), float(high), level)
            for value, low, high in zip(found.values, found.low, found.high, strict=True)
        ]


class Pair(msgspec.Struct, frozen=True):
    """One batch of prompts and twins.

    Attributes:
        rows: Which rows of the prompts.
        base: The batch that is patched into.
        other: The batch that the patches come from.
        given: Activations of `other`.
        own: Activations of `base`, where they were asked for.
        clean: Margins of the prompts.
        corrupt: Margins of the twins.
    """

    rows: NDArray[np.int64]
    base: Batch
    other: Batch
    given: dict[Site, Tensor]
    own: dict[Site, Tensor]
    clean: Floats
    corrupt: Floats


def paired(prompts: Prompts) -> Prompts:
    """The rows that hold a right answer, cut after the prompt: all that a margin depends on.

    Raises:
        InputError: There are no twins, or they have the same first token of an answer.
    """
    if prompts.twins is None:
        raise InputError(
            f"task {prompts.task} has no corrupted prompts to patch with; mark `counterfactuals` on its "
            "items",
            field="counterfactuals",
        )
    own = prompts.take(np.flatnonzero(prompts.right & (prompts.rivals >= 0)))
    if not len(own):
        raise InputError(
            f"the corrupted prompts of task {prompts.task} have answers that begin with the right one's "
            "token; give them answers that differ there",
            field="counterfactuals",
        )
    longest = int(own.starts.max()) + 1
    return msgspec.structs.replace(
        own,
        tokens=own.tokens[:, :longest],
        twins=None if own.twins is None else own.twins[:, :longest],
        lengths=own.starts + 1,
    )


def pairs(
    model: HookedModel,
    prompts: Prompts,
    sites: Sequence[Site],
    direction: Direction,
    memory: int = MEMORY,
    *,
    both: bool = False,
) -> Iterator[Pair]:
    """Prompts and twins in batches, with the activations of the side that is patched from.

    Args:
        model: The model.
        prompts: From `paired`.
        sites: Activations to keep; of both sides with `both`.
        direction: As for `patch`.
        memory: Bytes that may be kept.
        both: Keep those of the base run too.

    Raises:
        UsageError: `direction` is no direction.
    """
    if direction not in ("denoise", "noise"):
        raise UsageError(
            f"{direction!r} is no direction of patching; choose denoise or noise", field="direction"
        )
    each = sum(_numbers(model, site) for site in sites) * 4 * (2 if both else 1)
    tokens = int(np.clip(memory // max(each, 1), 1, 16_384))
    for clean_batch, corrupt_batch in zip(
        prompts.batches(model.device, tokens), prompts.batches(model.device, tokens, twins=True), strict=True
    ):
        denoise = direction == "denoise"
        base, other = (corrupt_batch, clean_batch) if denoise else (clean_batch, corrupt_batch)
        given, far = _margins(model, prompts, other, (), sites)
        own, near = _margins(model, prompts, base, (), sites if both else ())
        yield Pair(
            clean_batch.rows.cpu().numpy(),
            base,
            other,
            given,
            own,
            far if denoise else near,
            near if denoise else far,
        )


def margins(model: HookedModel, prompts: Prompts, batch: Batch, edits: Sequence[Edit]) -> Floats:
    """Margin of each row of a batch with edits."""
    return _margins(model, prompts, batch, edits, ())[1]


def margin_of(prompts: Prompts, batch: Batch, logits: Tensor) -> Tensor:
    """Margins from logits at the last places of the prompts (rows x vocabulary)."""
    import torch

    rows = batch.rows.cpu().numpy()
    right = torch.from_numpy(prompts.answers[rows, 0]).to(logits.device)
    rival = torch.from_numpy(prompts.rivals[rows]).to(logits.device)
    line = torch.arange(len(rows), device=logits.device)
    return logits[line, right] - logits[line, rival]


def last_places(prompts: Prompts, batch: Batch) -> tuple[Tensor, Tensor]:
    """Rows and places whose logits predict the answer's first token."""
    import torch

    places = torch.from_numpy(prompts.starts[batch.rows.cpu().numpy()]).to(batch.tokens.device)
    return torch.arange(len(places), device=places.device), places


def masked(prompts: Prompts, places: Places | None) -> Callable[[Batch], Tensor | None]:
    """A function that gives the places to patch in a batch, rows x length; None for all.

    Raises:
        InputError: The sources are wanted and not marked.
        UsageError: There is no such choice of places.
    """
    if places is None:
        return lambda batch: None
    if places == "last":
        return lambda batch: at_places(batch, prompts.starts[batch.rows.cpu().numpy()][:, None])
    if places != "source":
        raise UsageError(f"{places!r} is no choice of places; choose last or source", field="places")
    sources = marked_sources(prompts)
    return lambda batch: at_places(batch, sources[batch.rows.cpu().numpy()])


def marked_sources(prompts: Prompts) -> NDArray[np.int64]:
    """Places of the answers' sources.

    Raises:
        InputError: The task does not mark them.
    """
    if prompts.sources is None:
        raise InputError(
            f"task {prompts.task} does not mark where its answers come from; mark `sources` on its items",
            field="sources",
        )
    return prompts.sources


def at_places(batch: Batch, places: NDArray[np.int64]) -> Tensor:
    """A mask of rows x length; places below 0 are none."""
    import torch

    mask = torch.zeros(batch.tokens.shape, dtype=torch.bool)
    line, column = np.nonzero((places >= 0) & (places < batch.tokens.shape[1]))
    mask[line, places[line, column]] = True
    return mask.to(batch.tokens.device)


def put(given: Tensor, index: Sequence[int] | None, mask: Tensor | None) -> Callable[[Tensor, Batch], Tensor]:
    """A change that puts `given` in: at these heads or neurons (all when None), at these places."""
    import torch

    def change(value: Tensor, batch: Batch) -> Tensor:
        new = given.to(value.dtype)
        if index is not None:
            new = value.clone()
            if value.ndim == 4:
                new[:, :, list(index)] = given[:, :, list(index)].to(value.dtype)
            else:
                new[..., list(index)] = given[..., list(index)].to(value.dtype)
        if mask is None:
            return new
        return torch.where(mask.reshape(*mask.shape, *(1,) * (value.ndim - 2)), new, value)

    return change


def _margins(
    model: HookedModel, prompts: Prompts, batch: Batch, edits: Sequence[Edit], sites: Sequence[Site]
) -> tuple[dict[Site, Tensor], Floats]:
    found = model.run(batch, read=tuple(sites), edits=edits, at=last_places(prompts, batch))
    return found.values, margin_of(prompts, batch, found.logits).double().cpu().numpy()


def _numbers(model: HookedModel, site: Site) -> int:
    """Numbers a token of an activation."""
    sizes = model.anatomy
    match site.kind:
        case "z" | "query":
            return sizes.heads * sizes.head_width
        case "key" | "value":
            return sizes.kv_heads * sizes.head_width
        case "neurons":
            return sizes.neurons
        case _:
            return sizes.width
