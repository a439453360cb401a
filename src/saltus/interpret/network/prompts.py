"""A task's samples as tokens: prompts with their right answer, its source, and a corrupted twin.

Made once for a tokenizer (all checkpoints of a series share it), then run through any `HookedModel`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from saltus.interpret.network.hooked import Batch
from saltus.records.errors import InputError
from saltus.records.evidence import Sample

if TYPE_CHECKING:
    import torch

    from saltus.models.encoding import Encoder

Ints = NDArray[np.int64]


class Prompts(msgspec.Struct, frozen=True, kw_only=True):
    """Prompts of one task with the right answer fed in, so that one forward pass scores everything.

    A multiple-choice sample has a row for each choice; any other sample has one row.

    Attributes:
        task: Its name.
        metric: "exact_match", or "choice_correct" for multiple choice.
        samples: Ids, one a sample.
        clusters: What samples belong together, one a sample; None when they are independent.
        tokens: Prompt and answer without its last token, rows x length, padded on the right with 0.
        lengths: Real tokens of each row.
        starts: Place of the last token of the prompt, whose logits predict the answer's first token.
        answers: Tokens of the answer, rows x longest, padded with -1.
        items: Which sample a row belongs to.
        right: Whether a row holds the right answer.
        rivals: First token of the tempting wrong answer of each row: the answer of the corrupted twin, else
            the first other choice. -1 where there is none, or where it begins with the same token.
        sources: Places of the tokens that hold the answer, rows x most, padded with -1; None when the task
            marks none.
        twins: Corrupted prompts, aligned token by token (same shape as `tokens`, same answer fed in); None
            when the task has none.
    """

    task: str
    metric: str
    samples: tuple[str, ...]
    clusters: tuple[str, ...] | None = None
    tokens: Ints
    lengths: Ints
    starts: Ints
    answers: Ints
    items: Ints
    right: NDArray[np.bool_]
    rivals: Ints
    sources: Ints | None = None
    twins: Ints | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def batches(
        self, device: torch.device | str, tokens: int = 16_384, *, twins: bool = False
    ) -> Iterator[Batch]:
        """Rows in batches of about so many tokens, short ones first.

        Args:
            device: Where the batches are put.
            tokens: Most tokens of a batch, padding included; at least one row.
            twins: The corrupted prompts instead.

        Raises:
            InputError: The corrupted prompts are wanted and there are none.
        """
        import torch

        given = self.tokens
        if twins:
            if self.twins is None:
                raise InputError(
                    f"task {self.task} has no corrupted prompts; mark `counterfactuals` on its items",
                    field="counterfactuals",
                )
            given = self.twins
        order = np.argsort(self.lengths, kind="stable")
        start = 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and (stop + 1 - start) * self.lengths[order[stop]] <= tokens:
                stop += 1
            rows = order[start:stop]
            longest = int(self.lengths[rows].max())
            yield Batch(
                torch.from_numpy(given[rows, :longest]).to(device),
                torch.from_numpy(self.lengths[rows]).to(device),
                torch.from_numpy(rows).to(device),
            )
            start = stop

    def take(self, rows: Sequence[int] | Ints) -> Prompts:
        """Only these rows (all rows of their samples should be among them)."""
        rows = np.asarray(rows, np.int64)
        kept, items = np.unique(self.items[rows], return_inverse=True)
        return msgspec.structs.replace(
            self,
            samples=tuple(self.samples[i] for i in kept),
            clusters=None if self.clusters is None else tuple(self.clusters[i] for i in kept),
            items=items,
            **{name: getattr(self, name)[rows] for name in _BY_ROW if getattr(self, name) is not None},
        )


_BY_ROW = ("tokens", "lengths", "starts", "answers", "right", "rivals", "sources", "twins")


def make_prompts(
    samples: Sequence[Sample],
    encoder: Encoder,
    *,
    metric: str = "exact_match",
    counterfactual: str | None = None,
    context: int | None = None,
    cluster: str = "",
) -> Prompts:
    """Turn samples into tokens.

    What an item may mark, in `Sample.extra`: `sources`, the character ranges of the prompt that hold the
    answer; `counterfactuals`, by name a prompt with another answer (`input`, `target`).

    Args:
        samples: Of one task.
        encoder: Of the model.
        metric: The task's score.
        counterfactual: Which of the item's corrupted prompts; the first when None.
        context: Most tokens that the model reads.
        cluster: The slice whose samples belong together.

    Raises:
        InputError: A prompt is too long, an item has no answer, a mark does not fit the tokens, or a
            corrupted prompt is not aligned with its own.
    """
    if not samples:
        raise InputError("there are no samples to explain; give a task with items", field="task")
    rows: list[_Row] = []
    for i, sample in enumerate(samples):
        rows += _rows(i, sample, encoder, counterfactual, context)
    length = max(len(row.tokens) for row in rows)
    twins = None
    if all(row.twin is not None for row in rows):
        twins = _padded([row.twin or [] for row in rows], length, 0)
    sources = None
    if all(row.sources for row in rows):
        sources = _padded([row.sources for row in rows], max(len(row.sources) for row in rows), -1)
    return Prompts(
        task=samples[0].task,
        metric=metric,
        samples=tuple(sample.id for sample in samples),
        clusters=tuple(sample.slices.get(cluster, sample.id) for sample in samples) if cluster else None,
        tokens=_padded([row.tokens for row in rows], length, 0),
        lengths=np.array([len(row.tokens) for row in rows]),
        starts=np.array([row.start for row in rows]),
        answers=_padded([row.answer for row in rows], max(len(row.answer) for row in rows), -1),
        items=np.array([row.item for row in rows]),
        right=np.array([row.right for row in rows]),
        rivals=np.array([row.rival for row in rows]),
        sources=sources,
        twins=twins,
    )


class _Row(msgspec.Struct):
    item: int
    right: bool
    tokens: list[int]
    start: int
    answer: list[int]
    rival: int
    sources: list[int]
    twin: list[int] | None


def _rows(
    item: int, sample: Sample, encoder: Encoder, counterfactual: str | None, context: int | None
) -> list[_Row]:
    texts = list(sample.choices) if sample.choices else [sample.target]
    [(prompt, answers)] = encoder.pairs([sample.input], [texts])
    if not all(answers):
        raise InputError(f"item {sample.id} of {sample.task} has an empty answer", field="target")
    longest = len(prompt) + max(map(len, answers)) - 1
    if context is not None and longest > context:
        raise InputError(
            f"item {sample.id} of {sample.task} has {longest} tokens and the model reads {context} at most; "
            "explain a task with shorter prompts",
            field="task",
        )
    sources = _sources(sample, encoder)
    twin, other = _twin(sample, encoder, counterfactual, len(prompt))
    rows = []
    for i, answer in enumerate(answers):
        right = i == sample.answer if sample.choices else True
        rival = other
        if rival < 0 and len(answers) > 1:
            rival = answers[(i + 1) % len(answers)][0] if right else answers[max(sample.answer, 0)][0]
        if rival == answer[0]:
            rival = -1
        rows.append(
            _Row(
                item,
                right,
                prompt + answer[:-1],
                len(prompt) - 1,
                answer,
                rival,
                sources,
                None if twin is None else twin + answer[:-1],
            )
        )
    return rows


def _sources(sample: Sample, encoder: Encoder) -> list[int]:
    spans = sample.extra.get("sources")
    if not spans:
        return []
    try:
        found = encoder.places(sample.input, [(int(a), int(b)) for a, b in spans])
    except (TypeError, ValueError) as error:
        raise InputError(
            f"item {sample.id} of {sample.task} has the sources {spans!r}; give ranges of characters such as "
            "[[3, 4]]",
            field="sources",
        ) from error
    except InputError as error:
        raise InputError(f"item {sample.id} of {sample.task}: {error.message}", field="sources") from error
    return [place for places in found for place in places]


def _twin(sample: Sample, encoder: Encoder, name: str | None, length: int) -> tuple[list[int] | None, int]:
    """The corrupted prompt's tokens and the first token of its answer."""
    given: Mapping[str, Any] = sample.extra.get("counterfactuals") or {}
    if not given:
        return None, -1
    if name is not None and name not in given:
        raise InputError(
            f"item {sample.id} of {sample.task} has no counterfactual {name!r}, it has {', '.join(given)}",
            field="counterfactuals",
        )
    key = name or next(iter(given))
    twin = given[key]
    if not isinstance(twin, Mapping) or not {"input", "target"} <= set(twin):
        raise InputError(
            f"the counterfactual {key!r} of item {sample.id} lacks an input or a target",
            field="counterfactuals",
        )
    [(prompt, [answer])] = encoder.pairs([str(twin["input"])], [[str(twin["target"])]])
    if len(prompt) != length or not answer:
        raise InputError(
            f"the counterfactual {key!r} of item {sample.id} has {len(prompt)} tokens and its prompt "
            f"{length}; patching needs them aligned, so change words for words of as many tokens",
            field="counterfactuals",
        )
    return prompt, answer[0]


def _padded(rows: Sequence[Sequence[int]], length: int, fill: int) -> Ints:
    out = np.full((len(rows), length), fill, np.int64)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out
