"""Cuts a text that is longer than a model's context into windows, so that each token is scored once."""

from __future__ import annotations

from saltus.models.encoding import Ids


def windows(start: Ids, ids: Ids, context: int | None) -> list[tuple[Ids, Ids]]:
    """What is read and what is scored after it, window by window, as lm-evaluation-harness cuts them.

    The first window begins with `start`. Every other one scores as many new tokens as fit behind one token of
    context; the last one, which has fewer new tokens, is filled up with context.

    Args:
        start: What a document begins with, one token at least (BOS or EOS).
        ids: The text.
        context: Most tokens that the model reads; None when there is no limit.

    Examples:
        >>> windows([0], [1, 2, 3, 4, 5], 2)
        [([0], [1, 2]), ([2], [3, 4]), ([3, 4], [5])]
    """
    if not ids:
        return []
    most = context or len(ids) + len(start)
    first = max(1, most - len(start) + 1)
    found = [(start, ids[:first])]
    done = first
    while done < len(ids):
        end = min(done + most, len(ids))
        found.append((ids[max(0, end - most - 1) : done], ids[done:end]))
        done = end
    return found
