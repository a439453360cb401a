"""Batches that shrink when memory runs out: what did not fit is cut in two, and later batches stay small."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from saltus.records.errors import ModelError

T = TypeVar("T")

_WORDS = ("out of memory", "can't allocate memory", "not enough memory")


class Budget:
    """Most tokens of a batch, padding included.

    Attributes:
        tokens: It only ever shrinks.
    """

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens


def in_batches(
    items: Sequence[T],
    batches: Callable[[Sequence[T], int], Iterable[list[T]]],
    run: Callable[[list[T]], None],
    budget: Budget,
) -> None:
    """Run all items, in batches that fit into memory.

    Args:
        items: What is to be run.
        batches: Cuts items into batches of at most so many tokens.
        run: Runs one batch; it may be run again with others when memory ran out.
        budget: Halved each time memory runs out.

    Raises:
        ModelError: One item alone does not fit.
    """
    waiting = deque(batches(items, budget.tokens))
    while waiting:
        batch = waiting.popleft()
        if _fits(run, batch):
            continue
        # Here the failed batch's tensors are gone with the exception that held them.
        _release()
        if len(batch) == 1:
            raise ModelError(
                "a single request does not fit into memory; use a smaller model, a smaller dtype or shorter "
                "prompts"
            )
        budget.tokens = max(1, budget.tokens // 2)
        rest = [item for one in waiting for item in one]
        middle = len(batch) // 2
        waiting = deque(
            batch for part in (batch[:middle], batch[middle:], rest) for batch in batches(part, budget.tokens)
        )


def _fits(run: Callable[[list[T]], None], batch: list[T]) -> bool:
    try:
        run(batch)
    except (RuntimeError, MemoryError) as error:  # torch's own is a RuntimeError
        if not isinstance(error, MemoryError) and not any(word in str(error).lower() for word in _WORDS):
            raise
        return False
    return True


def _release() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
