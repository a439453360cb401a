"""Continues prompts token by token with a key-value cache; rows that are done leave the batch.

What a request gets does not depend on what shares its batch: its random numbers come from its own seed and
prompt, and padding is only used where a trial shows that it changes nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from saltus.models.encoding import Encoder, Ids
from saltus.models.memory import Budget, in_batches
from saltus.models.network import Network
from saltus.models.prefix import Prefix, alike
from saltus.models.scoring import LOGITS_LIMIT
from saltus.records.requests import GenerateRequest, Generation

if TYPE_CHECKING:
    from torch import Tensor


class Draft:
    """One answer in the making.

    Args:
        request: What was asked.
        prompt: Its tokens, after cutting.
        room: Most tokens that may be generated.
        truncated: Tokens that were cut from the prompt.
    """

    def __init__(self, request: GenerateRequest, prompt: Ids, room: int, truncated: int) -> None:
        self.request = request
        self.prompt = prompt
        self.room = room
        self.truncated = truncated
        self.tokens: Ids = []
        self.logprobs: list[float] = []
        self.finish = "" if room > 0 else "length"
        self.text = ""

    def restart(self) -> None:
        """Begin again: memory ran out in the middle."""
        self.tokens, self.logprobs, self.text = [], [], ""
        self.finish = "" if self.room > 0 else "length"
        self.__dict__.pop("random", None)

    @cached_property
    def random(self) -> np.random.Generator:
        """Draws the tokens; the prompt is part of the seed, or all samples would draw the same numbers."""
        prompt = self.request.prompt + "\n".join(message.content for message in self.request.messages)
        return np.random.default_rng([self.request.seed, zlib.crc32(prompt.encode())])

    def take(self, token: int, logprob: float, encoder: Encoder, may_stop: bool) -> None:
        """Add one token and see whether it ends the answer."""
        self.logprobs.append(logprob)
        if token in encoder.end:
            self.finish = "stop"
            self.text = encoder.text(self.tokens)
            return
        self.tokens.append(token)
        if may_stop:
            text = encoder.text(self.tokens)
            cuts = [at for stop in self.request.stop if stop and (at := text.find(stop)) >= 0]
            if cuts:
                self.finish, self.text = "stop", text[: min(cuts)]
                while self.tokens and len(encoder.text(self.tokens[:-1])) >= len(self.text):
                    self.tokens.pop()  # it only wrote what was cut off
                return
        if len(self.tokens) >= self.room:
            self.finish, self.text = "length", encoder.text(self.tokens)

    @property
    def answer(self) -> Generation:
        """The finished answer."""
        return Generation(
            text=self.text,
            logprobs=tuple(self.logprobs),
            finish=self.finish,
            prompt_tokens=len(self.prompt),
            completion_tokens=len(self.logprobs),
            truncated=self.truncated,
            tokens=tuple(self.tokens),
        )


def complete(network: Network, encoder: Encoder, drafts: Sequence[Draft], *, budget: Budget) -> None:
    """Finish every draft, in place."""
    import torch

    asked = [draft for draft in drafts if not draft.finish]
    with torch.inference_mode():
        for shared, members in alike([draft.prompt for draft in asked]):
            prefix = None
            if shared and network.takes_prefix and network.takes_left_padding:
                prefix = Prefix(network, asked[members[0]].prompt[:shared])
            in_batches(
                [asked[i] for i in members],
                lambda chosen, tokens: _batches(network, chosen, tokens),
                lambda batch: _Batch(network, encoder, batch, prefix).run(),  # noqa: B023
                budget,
            )


def _batches(network: Network, drafts: Sequence[Draft], tokens: int) -> Iterator[list[Draft]]:
    ordered = sorted(drafts, key=lambda draft: (-len(draft.prompt), -draft.room))
    mixed = len({len(draft.prompt) for draft in drafts}) > 1 and network.takes_left_padding
    batch: list[Draft] = []
    longest = 0
    for draft in ordered:
        size = len(batch) + 1
        longest = max(longest, len(draft.prompt) + draft.room)
        too_large = size * longest > tokens or size * network.vocabulary > LOGITS_LIMIT
        other_length = batch and not mixed and len(draft.prompt) != len(batch[0].prompt)
        if batch and (too_large or other_length):
            yield batch
            batch, longest = [], len(draft.prompt) + draft.room
        batch.append(draft)
    if batch:
        yield batch


def _draw(logits: Tensor, draft: Draft) -> int:
    """One token, by the inverse of the cumulative distribution at one uniform number."""
    shares = (logits.double() / draft.request.temperature).softmax(-1)
    if draft.request.top_p < 1.0:
        ordered, order = shares.sort(descending=True, stable=True)
        kept = int((ordered.cumsum(-1) < draft.request.top_p).sum()) + 1
        shares[order[kept:]] = 0.0
    cumulated = shares.cumsum(-1).cpu().numpy()
    place = int(np.searchsorted(cumulated, draft.random.random() * cumulated[-1], side="right"))
    return min(place, len(cumulated) - 1)


class _Batch:
    """The rows that are still being continued, with their cache."""

    def __init__(
        self, network: Network, encoder: Encoder, drafts: list[Draft], prefix: Prefix | None
    ) -> None:
        import torch

        self._network, self._encoder, self._drafts = network, encoder, drafts
        skip = prefix.length if prefix else 0
        width = max(len(draft.prompt) for draft in drafts) - skip
        ids = np.zeros((len(drafts), width), np.int64)
        mask = np.ones((len(drafts), skip + width), np.int64)
        for row, draft in enumerate(drafts):
            draft.restart()
            pad = width - (len(draft.prompt) - skip)
            ids[row, pad:] = draft.prompt[skip:]
            mask[row, skip : skip + pad] = 0
        self._ids = torch.from_numpy(ids).to(network.device)
        # Rows of one length need no mask, and without one the fast attention kernels are used.
        self._mask = None if mask.all() else torch.from_numpy(mask).to(network.device)
        self._cache: Any = prefix.copies(len(drafts)) if prefix else None

    def run(self) -> None:
        import torch

        fresh = self._ids
        while True:
            logits = self._forward(fresh)
            chosen, logprobs = self._choose(logits)
            may_stop = self._may_stop(chosen)
            for draft, token, logprob, check in zip(
                self._drafts, chosen.tolist(), logprobs, may_stop.tolist(), strict=True
            ):
                draft.take(token, logprob, self._encoder, check)
            alive = [row for row, draft in enumerate(self._drafts) if not draft.finish]
            if not alive:
                return
            if len(alive) < len(self._drafts):
                self._keep(alive)
            fresh = torch.from_numpy(chosen[alive]).to(self._network.device)[:, None]
            self._ids = torch.cat([self._ids, fresh], 1)
            if self._mask is not None:
                self._mask = torch.cat([self._mask, torch.ones_like(fresh)], 1)
            if self._cache is None:  # an architecture without a cache is given everything again
                fresh = self._ids

    def _forward(self, fresh: Tensor) -> Tensor:
        import torch

        size, length = fresh.shape
        last = torch.arange(size, device=fresh.device) * length + length - 1
        extra: dict[str, Any] = {}
        if self._mask is not None:
            extra["attention_mask"] = self._mask
            extra["position_ids"] = (self._mask.cumsum(1) - 1).clamp_(min=0)[:, -length:]
        if self._cache is not None:
            extra["past_key_values"] = self._cache
        logits, self._cache = self._network.logits(fresh, last, use_cache=True, **extra)
        return logits

    def _keep(self, alive: list[int]) -> None:
        import torch

        rows = torch.tensor(alive, device=self._ids.device)
        self._drafts = [self._drafts[row] for row in alive]
        self._ids = self._ids[rows]
        if self._mask is not None:
            self._mask = self._mask[rows]
        if self._cache is not None:
            self._cache.batch_select_indices(rows)

    def _choose(self, logits: Tensor) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[float]]:
        chosen = logits.argmax(-1).cpu().numpy()
        for row, draft in enumerate(self._drafts):
            if draft.request.temperature > 0:
                chosen[row] = _draw(logits[row], draft)
        import torch

        at = torch.from_numpy(chosen).to(logits.device)[:, None]
        logprobs = logits.gather(1, at)[:, 0] - logits.logsumexp(-1)
        return chosen, logprobs.tolist()

    def _may_stop(self, chosen: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        found = np.zeros(len(chosen), bool)
        stops = {stop for draft in self._drafts for stop in draft.request.stop if stop}
        for stop in sorted(stops):
            asked = np.array([stop in draft.request.stop for draft in self._drafts])
            found |= asked & self._encoder.may_end(chosen, stop)
        return found
