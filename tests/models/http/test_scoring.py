"""Log-likelihoods from servers that echo: the boundary is found however the server writes its tokens."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models.http.scripted import Asked, Reply, Scripted, ask

from saltus.models import HttpModel
from saltus.models.http.scoring import Account, continuation
from saltus.records import LoglikelihoodRequest, ModelError

Connect = Callable[..., HttpModel]
REQUEST = LoglikelihoodRequest("The cat sat on the ", ("mat.", "roof there", ""))


def pieces(text: str) -> list[str]:
    """Tokens as most tokenizers cut them: a word takes the space before it."""
    return re.findall(r" ?\w+|\s|[^\w\s]", text)


def value(token: str, place: int) -> float:
    return -(len(token) + place / 8) / 3


def is_greedy(token: str) -> bool:
    return "t" in token


def echo(
    prompt: str,
    *,
    bos: str = "",
    offsets: str = "server",
    alone: bool = False,
    generated: Sequence[str] = (" next",),
) -> dict[str, Any]:
    """One choice as vLLM, SGLang or OpenAI write it."""
    tokens = [*([bos] if bos else []), *pieces(prompt), *generated]
    shown = [token.strip() or token for token in tokens] if alone else tokens
    logprobs = [None, *(value(token, i) for i, token in enumerate(tokens) if i)]
    starts = [sum(map(len, tokens[:i])) for i in range(len(tokens))]
    tops = [
        found and ({token: found} if is_greedy(token) else {token: found, "other": found + 0.5})
        for token, found in zip(shown, logprobs, strict=True)
    ]
    return {
        "text": prompt + "".join(generated),
        "logprobs": {
            "tokens": shown,
            "token_logprobs": logprobs,
            "top_logprobs": tops,
            "text_offset": starts if offsets == "server" else [-1] * len(tokens),
        },
    }


def replies(body: dict[str, Any], **how: Any) -> Reply:
    given_ = body["prompt"]
    texts = [given_] if isinstance(given_, str) else given_
    choices = [{"index": i, "finish_reason": "length", **echo(one, **how)} for i, one in enumerate(texts)]
    count = sum(len(pieces(one)) + bool(how.get("bos")) for one in texts)
    usage = {"prompt_tokens": count, "completion_tokens": len(texts)}
    return Reply({"choices": choices[::-1], "usage": usage})


def expected(context: str, rest: str, *, bos: int = 0) -> tuple[tuple[float, ...], tuple[bool, ...]]:
    head = context.rstrip()
    tokens = pieces(context + rest)
    first = len(pieces(head))
    found = [value(token, i + bos) for i, token in enumerate(tokens)][first:]
    return tuple(array("f", found)), tuple(is_greedy(token) for token in tokens[first:])


STYLES: dict[str, dict[str, Any]] = {
    "openai": {},
    "vllm": {"bos": "<s>"},
    "sglang": {"bos": "<|begin|>", "offsets": "none", "alone": True},
    "nothing-generated": {"generated": ()},
    "space-generated": {"generated": (" ",)},
}


@pytest.mark.parametrize("batches", [True, False])
@pytest.mark.parametrize("style", STYLES)
def test_echo(server: Scripted, connect: Connect, style: str, batches: bool) -> None:
    def rule(asked: Asked) -> Reply:
        if isinstance(asked.body["prompt"], list) and not batches:
            return Reply({"detail": "prompt must be a string"}, status=422)
        return replies(asked.body, **STYLES[style])

    server.rule = rule
    model = connect(scoring="auto")
    assert model.scores_text
    trials = len(server.asked)
    [answer] = model.loglikelihood([REQUEST])
    bos = int("bos" in STYLES[style])
    for text, found in zip(REQUEST.continuations, answer.continuations, strict=True):
        assert (found.logprobs, found.greedy) == expected(REQUEST.context, text, bos=bos)
    assert answer.prompt_tokens == 5 + bos
    assert len(server.asked) - trials == (1 if batches else 3)
    assert server.asked[-1].body["echo"] is True
    assert server.asked[-1].body["max_tokens"] == 1


@pytest.mark.parametrize("bos", ["", "<s>"])
def test_prompt_logprobs_of_vllm(server: Scripted, connect: Connect, bos: str) -> None:
    def rule(asked: Asked) -> Reply:
        if "echo" in asked.body:
            return Reply({"message": "echo is not supported"}, status=400)
        prompt = asked.body["prompt"]
        tokens = [*([bos] if bos else []), *pieces(prompt)]
        rows = [
            {str(100 + i): {"logprob": value(t, i), "rank": 1 if is_greedy(t) else 2, "decoded_token": t}}
            for i, t in enumerate(tokens)
        ]
        choice = {"index": 0, "text": " next", "prompt_logprobs": [None, *rows[1:]]}
        return Reply({"choices": [choice], "usage": {"prompt_tokens": len(tokens), "completion_tokens": 1}})

    server.rule = rule
    model = connect(scoring="auto")
    [answer] = model.loglikelihood([REQUEST])
    for text, found in zip(REQUEST.continuations, answer.continuations, strict=True):
        assert (found.logprobs, found.greedy) == expected(REQUEST.context, text, bos=int(bool(bos)))
        assert len(found.tokens) == len(found.logprobs)
    assert server.asked[-1].body["prompt_logprobs"] == 0


def test_a_rolling_text_leaves_out_what_has_no_log_probability(server: Scripted, connect: Connect) -> None:
    text = "One two three."
    server.rule = lambda asked: replies(asked.body)
    [without] = connect(scoring="echo").loglikelihood([LoglikelihoodRequest("", (text,), rolling=True)])
    assert without.continuations[0].logprobs == expected("", text)[0][1:]
    server.rule = lambda asked: replies(asked.body, bos="<s>")
    [whole] = connect(scoring="echo").loglikelihood([LoglikelihoodRequest("", (text,), rolling=True)])
    assert whole.continuations[0].logprobs == expected("", text, bos=1)[0]


def test_a_first_token_without_log_probability_is_said(server: Scripted, connect: Connect) -> None:
    server.rule = lambda asked: replies(asked.body)
    with pytest.raises(ModelError, match="no log-probability for the first token of a text; give a context"):
        connect(scoring="echo").loglikelihood([LoglikelihoodRequest("", ("One two",))])


def plain(asked: Asked) -> Reply:
    """A server that takes `echo` and forgets it, as Ollama and `transformers serve` do."""
    prompt = asked.body["prompt"]
    if not isinstance(prompt, str):
        return Reply({"detail": "prompt must be a string."}, status=400)
    return Reply({"choices": [{"index": 0, "text": " x", "finish_reason": "length"}]})


def forgetful(asked: Asked) -> Reply:
    """A server that forgets `echo` and tells of the tokens that it generated."""
    count = 1 if isinstance(asked.body["prompt"], str) else len(asked.body["prompt"])
    logprobs = {"tokens": ["x"], "token_logprobs": [-1.0], "top_logprobs": [{"x": -1.0}], "text_offset": [0]}
    return Reply({"choices": [{"index": i, "text": "x", "logprobs": logprobs} for i in range(count)]})


def nowhere(asked: Asked) -> Reply:
    return Reply({"error": {"message": "This is a chat model"}}, status=404)


@pytest.mark.parametrize("rule", [plain, forgetful, nowhere])
def test_a_server_that_cannot_score_says_so(
    server: Scripted, connect: Connect, rule: Callable[[Asked], Reply]
) -> None:
    server.rule = rule
    model = connect(scoring="auto", api="auto")
    assert not model.scores_text
    trials = len(server.asked)
    delivered = ask(model, [REQUEST] * 5)
    assert len(server.asked) == trials  # it is not asked again
    [said] = {str(error) for error in delivered.errors.values()}
    assert said == (
        f"{server.url} gives no log-probabilities of text that it is sent, so it cannot score continuations; "
        "use a server with `echo` and `logprobs` (vLLM, SGLang), a local model, or tasks that generate"
    )


def test_a_server_that_cannot_be_asked_is_no_answer_to_that_question() -> None:
    assert HttpModel("http://127.0.0.1:9/v1#m", retries=0).scores_text


def test_what_is_said_of_scoring_is_believed(server: Scripted, connect: Connect) -> None:
    server.rule = plain
    with pytest.raises(ModelError, match="holds no log-probabilities of the text"):
        connect(scoring="echo").loglikelihood([LoglikelihoodRequest("a", ("b",))])


@pytest.mark.parametrize("status", [500, 429])
def test_a_failed_score_is_tried_again(server: Scripted, connect: Connect, status: int) -> None:
    server.rule = lambda asked: Reply(b"", status=status) if asked.try_ == 1 else replies(asked.body)
    model = connect(scoring="echo", connections=4)
    requests = [LoglikelihoodRequest(f"Say {i}:", (" yes", " no")) for i in range(10)]
    delivered = ask(model, requests)
    assert len(delivered.answers) == 10
    assert set(server.tries().values()) == {2}
    assert model.spent.answers == 20


TEXT = st.text(st.sampled_from("ab é☂\n漢,"), min_size=1, max_size=24)


@st.composite
def tokenised(draw: st.DrawFn) -> tuple[list[str], str, int]:
    """A text in tokens, and a boundary after a character that is no white space, or at its start."""
    text = draw(TEXT)
    cuts = sorted(draw(st.sets(st.integers(1, len(text)), max_size=8)) | {0, len(text)})
    places = [0, *(i + 1 for i, character in enumerate(text) if not character.isspace())]
    tokens = [text[a:b] for a, b in pairwise(cuts)]
    return tokens, text, draw(st.sampled_from(places))


@given(tokenised(), st.sampled_from(["", "<s>"]), st.booleans())
def test_any_tokens_are_split_at_any_boundary(
    case: tuple[list[str], str, int], bos: str, exact: bool
) -> None:
    tokens, text, start = case
    shown = [*([bos] if bos else []), *tokens, *([] if exact else ["generated"])]
    values = [None if i == 0 else -float(i) for i in range(len(shown))]
    found, before = continuation(Account(tuple(shown), tuple(values), exact=exact), text, start, whole=True)
    ends = [sum(map(len, tokens[: i + 1])) for i in range(len(tokens))]
    first = next((i for i, end in enumerate(ends) if end > start), len(tokens)) + bool(bos)
    rest = values[first : len(tokens) + bool(bos)]
    assert list(found.logprobs) == [one for one in rest if one is not None]
    assert rest == [] or before == first + (rest[0] is None)


@given(tokenised())
def test_tokens_that_lost_their_spaces_are_split_at_the_same_place(case: tuple[list[str], str, int]) -> None:
    tokens, text, start = case
    values = [-float(i + 1) for i in range(len(tokens))]
    whole = Account(tuple(tokens), tuple(values), exact=True)
    stripped = Account(tuple(one.lstrip() or one for one in tokens), tuple(values), exact=True)
    left, right = (continuation(one, text, start, whole=False)[0] for one in (stripped, whole))
    assert left == right


def test_tokens_as_the_vocabulary_writes_them() -> None:
    for tokens in (("<s>", "\u2581a", "\u2581b", "c"), ("<s>", "a", "\u0120b", "c")):
        found, before = continuation(
            Account(tokens, (None, -1.0, -2.0, -3.0), exact=True), "a bc", 1, whole=False
        )
        assert (found.logprobs, before) == ((-2.0, -3.0), 2)


def test_pieces_of_a_character_are_found_by_what_stands_around_them() -> None:
    for tokens in (("a", "\ufffd", "\ufffd", " b"), ("a", "bytes:\\xe2\\x98", "bytes:\\x82", " b")):
        shown = tuple("\ufffd" if one.startswith("bytes:") else one for one in tokens)
        account = Account(shown, (None, -1.0, -2.0, -3.0), exact=True)
        found, before = continuation(account, "a☂ b", 1, whole=False)
        assert (found.logprobs, before) == ((-1.0, -2.0, -3.0), 1)


def test_offsets_help_where_tokens_do_not() -> None:
    account = Account(("A", "B", "C"), (None, -1.0, -2.0), offsets=(0, 2, 4), exact=True)
    assert continuation(account, "a b c", 3, whole=False)[0].logprobs == (-1.0, -2.0)


def test_tokens_that_do_not_add_up_are_an_error() -> None:
    account = Account(("x", "y"), (-1.0, -2.0), exact=True)
    with pytest.raises(ModelError, match="do not add up to the text"):
        continuation(account, "a b c", 3, whole=False)
