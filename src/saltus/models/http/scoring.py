"""Log-likelihoods from a server: reads its account of a prompt's tokens, and finds the continuation in it.

White space at the end of a context goes to the continuation, as local models split them. A token that lies
across the boundary belongs to the continuation.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from saltus.models.http.answers import single
from saltus.models.http.problems import TryFailedError
from saltus.models.http.wire import EchoLogprobs, PromptToken, ScoredChoice, ScoredReply, decode_scored
from saltus.records.errors import ModelError
from saltus.records.requests import Continuation, LoglikelihoodRequest

_UNREADABLE = "\ufffd"  # what a server writes for a token that is a piece of a character
_RAW_SPACES = str.maketrans("\u2581\u0120\u010a", "  \n")  # of SentencePiece and of byte-level BPE
_SPECIAL_AT_MOST = 3  # tokens that a server may put before a text


class Account(msgspec.Struct, frozen=True, gc=False):
    """What a server says of the tokens of one text, and perhaps of what it generated after it.

    Attributes:
        tokens: Their texts.
        logprobs: Nats; None for the first.
        greedy: Whether each was the likeliest; empty where the server does not say.
        ids: Empty where the server does not say.
        offsets: Where each begins, as the server counts; empty where it does not say.
        exact: Whether there is nothing generated among them.
    """

    tokens: tuple[str, ...]
    logprobs: tuple[float | None, ...]
    greedy: tuple[bool, ...] = ()
    ids: tuple[int, ...] = ()
    offsets: tuple[int, ...] = ()
    exact: bool = False


def read_scores(body: bytes, texts: Sequence[str]) -> tuple[list[Account], tuple[int, int]]:
    """One account for each text, and the tokens that the server counted.

    Raises:
        TryFailedError: The answer is cut off, or no answer.
        ModelError: The server did not score the texts.
    """
    try:
        reply: ScoredReply = decode_scored(body)
    except msgspec.MsgspecError as error:
        raise TryFailedError(f"the answer is no JSON of the OpenAI API ({error})") from None
    choices = sorted(reply.choices or (), key=lambda choice: choice.index)
    if len(choices) != len(texts):
        raise TryFailedError(f"the answer has {len(choices)} choices for {len(texts)} texts")
    accounts = [_account(choice, text) for choice, text in zip(choices, texts, strict=True)]
    usage = reply.usage
    counted = (usage.prompt_tokens or 0, usage.completion_tokens or 0) if usage else (0, 0)
    return _without_generated(accounts, counted[0]), counted


def split_request(request: LoglikelihoodRequest) -> tuple[list[str], int]:
    """The texts to score, and how many characters of each are context."""
    if request.rolling:
        return list(request.continuations), 0
    head = request.context.rstrip()
    space = request.context[len(head) :]
    return [head + space + one for one in request.continuations], len(head)


def continuation(account: Account, text: str, start: int, *, whole: bool) -> tuple[Continuation, int]:
    """What an account says of a text from a character on.

    Args:
        account: Of the text.
        text: As it was sent.
        start: Where the continuation begins.
        whole: Whether a first token without a log-probability may be left out.

    Returns:
        The continuation, and how many tokens stand before it.

    Raises:
        ModelError: The boundary cannot be found, or a log-probability is missing.
    """
    places = _places(account, text)
    if places is None:
        raise ModelError(
            "the server's tokens do not add up to the text, so it is not clear where the continuation "
            "begins; use a local model",
            field="continuations",
        )
    chosen = [i for i, (_, end, is_text) in enumerate(places) if is_text and end > start]
    if whole and chosen and account.logprobs[chosen[0]] is None:
        chosen = chosen[1:]
    if any(account.logprobs[i] is None for i in chosen):
        raise ModelError(
            "the server gives no log-probability for the first token of a text; give a context",
            field="context",
        )
    found = Continuation(
        single([value for i in chosen if (value := account.logprobs[i]) is not None]),
        tuple(account.greedy[i] for i in chosen) if account.greedy else (),
        tuple(account.ids[i] for i in chosen) if account.ids else (),
    )
    return found, chosen[0] if chosen else len(places)


def scores_text(body: bytes, texts: Sequence[str]) -> bool:
    """Whether an answer to a trial request holds the log-probabilities of the texts."""
    try:
        accounts, _ = read_scores(body, texts)
        for account, text in zip(accounts, texts, strict=True):
            continuation(account, text, len(text) // 2, whole=True)
    except (TryFailedError, ModelError):
        return False
    return True


def _account(choice: ScoredChoice, text: str) -> Account:
    if choice.prompt_logprobs is not None:
        return _from_prompt(choice.prompt_logprobs)
    found = choice.logprobs
    # Some servers take `echo`, forget it, and give the log-probabilities of what they generated.
    echoed = "".join((choice.text or "").split()).startswith("".join(text.split()))
    if found is not None and found.tokens and found.token_logprobs and echoed:
        return _from_echo(found)
    raise ModelError(
        "the server's answer holds no log-probabilities of the text that it was sent; give the option "
        "scoring=none, and choices are asked by their letters",
        field="scoring",
    )


def _without_generated(accounts: list[Account], prompt_tokens: int) -> list[Account]:
    """Each text is followed by one token that was asked for only because servers ask for one, or by none."""
    more = sum(len(one.tokens) for one in accounts) - prompt_tokens
    if accounts[0].exact or not prompt_tokens or more not in (0, len(accounts)):
        return accounts
    return [_first(one, len(one.tokens) - (more > 0)) for one in accounts]


def _first(account: Account, count: int) -> Account:
    return Account(
        account.tokens[:count],
        account.logprobs[:count],
        account.greedy[:count],
        account.ids[:count],
        account.offsets[:count],
        exact=True,
    )


def _from_echo(found: EchoLogprobs) -> Account:
    tokens, logprobs = found.tokens or [], found.token_logprobs or []
    greedy: list[bool] = []
    tops = found.top_logprobs or []
    if len(tops) == len(tokens) == len(logprobs):
        for value, top in zip(logprobs, tops, strict=True):
            others = [one for one in (top or {}).values() if one is not None]
            greedy.append(value is not None and bool(others) and value >= max(others))
    offsets = found.text_offset or []
    return Account(
        tuple(_UNREADABLE if token.startswith("bytes:") else token for token in tokens),
        tuple(logprobs),
        tuple(greedy),
        offsets=tuple(offsets) if len(offsets) == len(tokens) else (),
    )


def _from_prompt(found: Sequence[dict[str, PromptToken] | None]) -> Account:
    """vLLM: of each token a mapping from ids, the token itself first; nothing for the very first."""
    rows = [next(iter(entry.items())) if entry else None for entry in found]
    return Account(
        tuple((row[1].decoded_token or "") if row else "" for row in rows),
        tuple(row[1].logprob if row else None for row in rows),
        tuple(row is not None and row[1].rank == 1 for row in rows),
        tuple(int(row[0]) if row and row[0].isdecimal() else -1 for row in rows),
        exact=True,
    )


_Places = list[
    tuple[int, int, bool]
]  # of each token: where it begins and ends, and whether it is of the text


def _places(account: Account, text: str) -> _Places | None:
    """Where the tokens of a text lie in it; None where that cannot be told.

    Servers write tokens out in different ways: with a special token before the text, which the text does not
    show; each decoded alone, which loses a space at its beginning; pieces of a character unreadable.
    """
    if (places := _match(account, text)) is not None:
        return places
    bare = msgspec.structs.replace(account, tokens=tuple(_squeezed(one) for one in account.tokens))
    if (places := _match(bare, "".join(text.split()), spaces=True)) is not None:
        back = [0, *(i + 1 for i, character in enumerate(text) if not character.isspace())]
        after = [len(token) - len(token.rstrip()) for token in account.tokens]
        return [
            (back[start], back[end] + after[i], is_text) for i, (start, end, is_text) in enumerate(places)
        ]
    return _by_offsets(account, text)


def _match(account: Account, text: str, *, spaces: bool = False) -> _Places | None:
    """Lay the tokens along the text; with `spaces`, both have lost theirs."""
    places: _Places = []
    at, unread = 0, 0  # `unread` tokens at the end of `places` cover an unknown part
    tokens = _with_first(account, text)
    for i, token in enumerate(tokens):
        may_be_generated = not account.exact and i == len(tokens) - 1
        if may_be_generated and (spaces or (at >= len(text) and not unread)):
            break
        if _UNREADABLE in token:
            unread += 1
            places.append((at, at, True))
            continue
        start = text.find(token, at + 1) if unread else (at if text.startswith(token, at) else -1)
        if start < 0 and may_be_generated and unread:
            break
        if start < 0:
            if at == 0 and i < _SPECIAL_AT_MOST and account.logprobs[0] is None:
                places = [(0, 0, False)] * (i + 1)  # special tokens before the text
                continue
            return None
        places[len(places) - unread :] = [(at, start, True)] * unread
        unread = 0
        places.append((start, start + len(token), True))
        at = start + len(token)
    if unread:
        places[len(places) - unread :] = [(at, len(text), True)] * unread
        at = len(text)
    return places if at >= len(text) else None


def _squeezed(token: str) -> str:
    """A token without its white space, however the server writes that."""
    return "".join(token.translate(_RAW_SPACES).split())


def _with_first(account: Account, text: str) -> tuple[str, ...]:
    """The tokens, with what the first one must be where the server does not show it."""
    tokens = account.tokens
    if account.exact and tokens and not tokens[0]:
        rest = "".join(tokens[1:])
        if text.endswith(rest):
            return (text[: len(text) - len(rest)], *tokens[1:])
    return tokens


def _by_offsets(account: Account, text: str) -> _Places | None:
    starts = account.offsets
    if not starts or starts[0] != 0 or any(b < a for a, b in pairwise(starts)):
        return None
    ends = [*starts[1:], max(len(text), starts[-1])]
    return [(a, b, True) for a, b in zip(starts, ends, strict=True) if a < len(text)]
